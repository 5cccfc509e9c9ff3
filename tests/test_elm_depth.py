"""Long rules nest deeply; neither loading nor evaluating them runs out of calls."""

from __future__ import annotations

import threading
from typing import Any

from ankle_cds import elm
from engine_probe import NOW

STRING = "{urn:hl7-org:elm-types:r1}String"
DEEP = 400


def text(value: str) -> dict[str, Any]:
    return {"type": "Literal", "valueType": STRING, "value": value}


def program() -> elm.Program:
    """Make one deep concatenation, and a long chain of definitions that each add to the one before."""
    nested = text("a")
    for _ in range(DEEP):
        nested = {"type": "Concatenate", "operand": [nested, text("a")]}
    definitions = [{"name": "Nested", "context": "Patient", "expression": nested}]
    chain: dict[str, Any] = text("b")
    for number in range(DEEP):
        definitions.append({"name": f"D{number}", "context": "Patient", "expression": chain})
        before = {"type": "ExpressionRef", "name": f"D{number}"}
        chain = {"type": "Coalesce", "operand": [{"type": "Concatenate", "operand": [before, text("b")]}, text("")]}
    library = {"identifier": {"id": "Deep"}, "statements": {"def": definitions}}
    return elm.load([{"library": library}])


def test_a_deep_expression_and_a_long_chain_are_evaluated() -> None:
    ev = program().evaluate([], now=NOW)
    assert ev["Nested"] == "a" * (DEEP + 1)
    assert ev[f"D{DEEP - 1}"] == "b" * DEEP


def test_they_are_evaluated_in_a_thread_too() -> None:
    loaded, found = program(), []
    thread = threading.Thread(target=lambda: found.append(loaded.evaluate([], now=NOW)[f"D{DEEP - 1}"]))
    thread.start()
    thread.join()
    assert found == ["b" * DEEP]
