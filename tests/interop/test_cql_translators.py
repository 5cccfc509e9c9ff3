"""Another build of the CQL-to-ELM translator, newer and in JavaScript, makes the same ELM of our CQL.

Compared without annotations, locators and translator options; the choices of a choice type have no order, and the
result type of the implied definition Patient is written by one of the two only.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from toolchain import HERE, PROJECT, needs, node_folder, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.interop, needs("node", "npm")]

UNCOMPARED = {"annotation", "locator", "localId"}
LOGIC = sorted(PROJECT.glob("src/ankle_cds/content/*/logic"))


def bare(node: Any) -> Any:
    """Return ELM without what is not compared."""
    if isinstance(node, list):
        return [bare(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: bare(value) for key, value in node.items() if key not in UNCOMPARED and value != []}
    if "choice" in kept:
        kept["choice"] = sorted(kept["choice"], key=lambda choice: json.dumps(choice, sort_keys=True))
    if node.get("name") == "Patient" and "expression" in node:
        kept.pop("resultTypeName", None)
    return kept


@pytest.mark.parametrize("logic", LOGIC, ids=[folder.parent.name for folder in LOGIC])
def test_both_translators_make_the_same_elm(logic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every definition of every library is the same node for node, and neither translator reports an error."""
    sources = {file.stem: file.read_text("utf-8") for file in sorted(logic.glob("*.cql"))}
    script = node_folder(HERE / "cql_execution") / "translate.mjs"
    answer = run(["node", script], stdin=json.dumps({"sources": sources}))
    theirs = json.loads(answer[answer.index("\n{") :] if not answer.startswith("{") else answer)
    different, compared = [], 0
    for name in sources:
        library = json.loads((logic / "elm" / f"{name}.json").read_text("utf-8"))["library"]
        other = theirs[name]["library"]
        errors = [note for note in other.get("annotation", ()) if note.get("errorSeverity") == "error"]
        assert not errors, f"{name}: {errors}"
        assert set(library) - UNCOMPARED == set(other) - UNCOMPARED
        for section in set(library) - UNCOMPARED:
            mine, hers = bare(library[section]), bare(other[section])
            pairs = zip(mine["def"], hers["def"], strict=True) if "def" in mine else [(mine, hers)]
            for one, another in pairs:
                compared += 1
                if one != another:
                    different.append(f"{name} {section} {one.get('name')}")
    assert not different, f"{len(different)} of {compared} definitions differ: {different[:30]}"
    with capsys.disabled():
        print(f" {compared} definitions of {len(sources)} libraries, 0 different", end="")  # noqa: T201 -- the figures are the result
