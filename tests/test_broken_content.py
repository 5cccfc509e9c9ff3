"""Every kind of content mistake is refused, and the message names the file and the line of it.

A folder under `broken/` is one mistake: the files that differ from the valid `_base`, `remove.txt` where a file is
missing, and `expected.txt`: lines the message must contain. Places (`file:line`) in it are complete: no other is named.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ankle_cds
from ankle_cds import artifacts, fhir, validate
from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Iterator

BROKEN = Path(__file__).parent / "broken"
MISTAKES = sorted(path.name for path in BROKEN.iterdir() if path.is_dir() and path.name != "_base")
STANDARD = Path(ankle_cds.__file__).parent / "content" / "posterior-ankle-impingement" / "logic"


def content(tmp_path: Path, mistake: str | None = None) -> Path:
    """Copy the valid content, with the standard library the real content carries, and put the mistake over it."""
    shutil.copytree(BROKEN / "_base", tmp_path, dirs_exist_ok=True)
    logic = tmp_path / "content" / "logic"
    shutil.copy(STANDARD / "FHIRHelpers.cql", logic)
    shutil.copy(STANDARD / "elm" / "FHIRHelpers.json", logic / "elm")
    if mistake:
        shutil.copytree(BROKEN / mistake, tmp_path, dirs_exist_ok=True)
        remove = tmp_path / "remove.txt"
        for name in remove.read_text().split() if remove.exists() else ():
            (tmp_path / name).unlink()
    return tmp_path / "content"


def refusal(folder: Path) -> ContentError | None:
    """Load and validate as `ankle-cds build` does; give what it refuses."""
    try:
        validate.require(artifacts.load(folder, profiles=folder.parent / "profiles"))
    except ContentError as error:
        return error
    return None


def test_the_base_of_all_mistakes_is_valid(tmp_path: Path) -> None:
    assert refusal(content(tmp_path)) is None


def test_a_removal_and_its_replacement_are_accepted_as_one_suggestion(tmp_path: Path) -> None:
    folder = content(tmp_path, "removal-apart")
    plan = folder / "plans" / "ToyAdvice.yaml"
    plan.write_text(plan.read_text().replace("selectionBehavior: at-most-one", "selectionBehavior: all"))
    assert refusal(folder) is None


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_file_and_line(mistake: str, tmp_path: Path) -> None:
    error = refusal(content(tmp_path, mistake))
    assert error is not None, f"{mistake} was accepted"
    message = str(error).replace(f"{tmp_path}/", "")
    expected = (BROKEN / mistake / "expected.txt").read_text().splitlines()
    for line in expected:
        assert line in message
    named = set(re.findall(r"at {3}(\S+:\d+)$", message, re.MULTILINE))
    assert named == {line for line in expected if re.fullmatch(r"\S+:\d+", line)}


def mutants(folder: Path) -> list[tuple[Path, str]]:
    """Every file of the content with one element replaced by something of another shape, or taken away."""

    def changed(node: Any) -> Iterator[Any]:
        steps = list(node.items() if isinstance(node, dict) else enumerate(node))
        for step, inner in steps:
            rest = {key: value for key, value in steps if key != step}
            replacements = ["x", 5, True, ["x"], {"x": 1}, [{"x": 1}]]
            deeper = list(changed(inner)) if isinstance(inner, (dict, list)) else []
            for new in [*replacements, *deeper]:
                whole = {key: new if key == step else value for key, value in steps}
                yield whole if isinstance(node, dict) else list(whole.values())
            yield rest if isinstance(node, dict) else list(rest.values())

    paths = sorted([*folder.glob("**/*.yaml"), *(folder.parent / "profiles").glob("*.yaml")])
    return [(path, json.dumps(new)) for path in paths for new in changed(fhir.read_yaml(path).data)]


def test_no_wrong_shape_is_a_crash(tmp_path: Path) -> None:
    """Whatever stands where something else should, the author reads a sentence, not a Python traceback."""
    folder = content(tmp_path)
    every = mutants(folder)
    for path, text in every[:: len(every) // 80]:
        original = path.read_text()
        path.write_text(text)
        with contextlib.suppress(ContentError):
            artifacts.load(folder, profiles=tmp_path / "profiles")
        path.write_text(original)


def test_every_mistake_of_a_folder_is_listed_in_one_run(tmp_path: Path) -> None:
    """An author corrects a file once, not once per run."""
    folder = content(tmp_path, "priority-asap")
    shutil.copytree(BROKEN / "wrong-count", tmp_path, dirs_exist_ok=True)
    shutil.copytree(BROKEN / "wrong-display", tmp_path, dirs_exist_ok=True)
    error = refusal(folder)
    assert error is not None
    assert len(error.causes) >= 3
