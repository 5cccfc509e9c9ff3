"""Another FHIRPath engine gives the same answers: constraints on the examples, expressions of forms on charts.

What is asked is what `validate`, `populate` and `extract` ask on the way, each with the input and variables it had
there. There is no difference, and so no list of explained ones.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from test_sdc_populate import NOW, PACKAGE, charts
from toolchain import HERE, PROJECT, needs, node_folder, run

from ankle_cds import fhirpath, forms, validate
from ankle_cds.fhir import canonical_json, read_json_file, write_json
from ankle_cds.stories import Ehr
from responses import everything

if TYPE_CHECKING:
    from collections.abc import Callable

    from ankle_cds.fhirpath import Collection, Context, Expression

pytestmark = [pytest.mark.interop, needs("node", "npm")]

LAUNCH = ("Patient", "Encounter")
VARIABLE = re.compile(r"%([A-Za-z_]\w*)")


class Recorder:
    """Each evaluation once: expression, type or path of the input, input, variables; with the answer or None."""

    def __init__(self) -> None:
        self.values: dict[bytes, int] = {}
        self.asked: dict[bytes, dict[str, Any]] = {}
        self.ours: list[list[Any] | None] = []

    def compiling(self, compile_expression: Callable[..., Expression]) -> Callable[..., Expression]:
        """Return the compiler, with a record of what its expressions are asked."""

        def compiled(text: str, given: fhirpath.Given) -> Expression:
            expression = compile_expression(text, given)

            def evaluate(context: Context, focus: Collection) -> Collection:
                try:
                    found = expression(context, focus)
                except fhirpath.UndecidedError:
                    self.keep(text, context, focus, None)
                    raise
                self.keep(text, context, focus, plain(found))
                return found

            return evaluate

        return compiled

    def keep(self, text: str, context: Context, focus: Collection, answer: list[Any] | None) -> None:
        if context.today is not None:
            text = text.replace("today()", f"@{context.today}")  # the other engine has a clock of its own
        names = set(VARIABLE.findall(text)) & context.variables.keys()
        asked = {
            "expression": text,
            "base": base(focus[0]) if len(focus) == 1 else None,
            "focus": self.index(focus),
            "variables": {name: self.index(context.variables[name]) for name in sorted(names)},
        }
        if self.asked.setdefault(canonical_json(asked), asked) is asked:
            self.ours.append(answer)

    def index(self, items: Collection) -> int:
        return self.values.setdefault(canonical_json([item.value for item in items]), len(self.values))


def base(node: fhirpath.Node) -> str | None:
    """Return what the other engine is told the input is: the path of an element of its own, else the type."""
    if node.type in {"BackboneElement", "Element"} and node.element is not None:
        return str(node.element.definition["path"])
    return node.type


def plain(found: Collection) -> list[Any]:
    return [item.value for item in found if item.value is not None]


def constraints() -> None:
    """Ask every profile about each of its examples."""
    for examples in validate.read_examples(PACKAGE).of.values():
        for example in (*examples.valid, *examples.invalid):
            validate.breaches(example.resource, examples.profile, PACKAGE.value_sets)


def expressions_of_forms() -> None:
    """Fill every form from every chart, and extract what was answered."""
    known = forms.load(PACKAGE)
    for form in known.values():
        for _, chart in charts(form):
            resources = [entry["resource"] for entry in chart["entry"]]
            launch = {kind.lower(): next(one for one in resources if one["resourceType"] == kind) for kind in LAUNCH}
            forms.populate(form, launch, Ehr(chart).search, now=NOW)
        response = read_json_file(PROJECT / "examples" / "forms" / form.id / "response.json")
        for answered in (response, everything(form.id)):
            forms.extract({**answered, "status": "amended"}, known, patient=None, where=form.id)


@pytest.fixture(scope="module")
def answers() -> dict[str, list[tuple[str, str, str]]]:
    """Return for each of the two users what was asked, with our answer and that of the other engine."""
    node = node_folder(HERE / "fhirpath_js") / "run.mjs"
    compared = {}
    for ask in (constraints, expressions_of_forms):
        recorder = Recorder()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fhirpath, "compile_expression", recorder.compiling(fhirpath.compile_expression))
            ask()
        job = {"values": [json.loads(value) for value in recorder.values], "asked": list(recorder.asked.values())}
        theirs = json.loads(run(["node", node], stdin=write_json(job).decode()))
        texts = [str(asked["expression"]) for asked in recorder.asked.values()]
        compared[ask.__name__] = [
            (text, said(one), said(other)) for text, one, other in zip(texts, recorder.ours, theirs, strict=True)
        ]
    return compared


def said(answer: Any) -> str:
    """Return an answer as text; of an error only that it is one."""
    return canonical_json(answer).decode() if isinstance(answer, list) else "an error"


def test_another_engine_gives_the_same_answers(
    answers: dict[str, list[tuple[str, str, str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    different = {case for cases in answers.values() for case in cases if case[1] != case[2]}
    assert not different, "\n".join(" | ".join(case) for case in sorted(different)[:20])
    with capsys.disabled():
        for name, cases in answers.items():
            print(f" {name}: {len(cases)} answers to {len({text for text, _, _ in cases})} expressions;", end="")  # noqa: T201 -- the figures are the result
    assert min(len(cases) for cases in answers.values()) > 1000
