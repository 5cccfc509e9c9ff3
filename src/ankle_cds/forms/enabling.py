"""Takes the answers of questions that were not shown out of a response: they were given to nobody's question.

A renderer may leave them in. https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.enableWhen
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.errors import ContentError
from ankle_cds.forms.expressions import values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds.fhir import Resource
    from ankle_cds.fhirpath import Context
    from ankle_cds.forms.form import Condition, Form, Question

    Levels = tuple[list[Resource], ...]  # items beside one another, then those around them


_EXPRESSION = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-enableWhenExpression"


def without_hidden(response: Resource, form: Form, context: Context) -> tuple[Resource, int]:
    """Give a copy of the response without what was hidden, and how many answers that were.

    `context` has the variables of enableWhenExpression; one that gives neither true nor false raises ContentError.
    """
    pruning = _Pruning(form.questions, context)
    shown = {**response, "item": pruning.level(response.get("item", []), ())}
    if not shown["item"]:
        del shown["item"]
    return shown, pruning.dropped


class _Pruning:
    def __init__(self, questions: Mapping[str, Question], context: Context) -> None:
        self._questions = questions
        self._context = context
        self.dropped = 0

    def level(self, items: list[Resource], above: Levels) -> list[Resource]:
        """Give the shown ones of some items that stand beside one another; `above` are the levels around them."""
        levels = (items, *above)
        kept = []
        for item in items:
            if not self._shown(self._questions[item["linkId"]], levels):
                self.dropped += count_answers(item)
                continue
            inner = dict(item)
            if "item" in item:
                inner["item"] = self.level(item["item"], levels)
            kept.append(inner)
        return kept

    def _shown(self, question: Question, levels: Levels) -> bool:
        if question.shown_by is not None:
            found = values(question.shown_by(self._context, []))
            if [type(one) for one in found] != [bool]:
                raise ContentError(
                    f"The expression that shows {question.link} gives neither true nor false; correct the form.",
                    spec=_EXPRESSION,
                )
            if not found[0]:
                return False
        met = [self._met(rule, levels) for rule in question.conditions]
        return all(met) if question.all_conditions else any(met)

    def _met(self, rule: Condition, levels: Levels) -> bool:
        given = self._given(rule.question, levels)
        if rule.operator == "exists":
            return bool(given) is rule.answer
        equal = any(
            (coding.get("system"), coding.get("code")) == (rule.answer.get("system"), rule.answer.get("code"))
            for coding in given
            if isinstance(coding, dict)
        )
        return equal is (rule.operator == "=")

    def _given(self, link: str, levels: Levels) -> list[Any]:
        """Give the answers to a question beside or above; one that is itself hidden has none."""
        for index, items in enumerate(levels):
            found = [item for item in items if item["linkId"] == link]
            if found:
                if not self._shown(self._questions[link], levels[index:]):
                    return []
                return [
                    value
                    for item in found
                    for answer in item.get("answer", [])
                    for name, value in answer.items()
                    if name.startswith("value")
                ]
        return []


def count_answers(item: Resource) -> int:
    """Count the answers of an item, or of a whole response, those of the items inside included."""
    return len(item.get("answer", [])) + sum(count_answers(inner) for inner in item.get("item", []))
