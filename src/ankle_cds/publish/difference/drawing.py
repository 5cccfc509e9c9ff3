"""The report: what each artifact needs and why, what all of them share told once, and the answer at the end."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.text import Text

from ankle_cds.fhir import canonical_json
from ankle_cds.publish.difference.steps import Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from ankle_cds.publish.difference import Artifact, Difference
    from ankle_cds.publish.difference.steps import Change

    Key = tuple[str, str, bytes, bytes]

_COLOUR = {Step.MAJOR: "bold red", Step.MINOR: "yellow", Step.PATCH: "cyan", Step.NONE: "dim", Step.BACK: "bold red"}
_SIGN = {"added": "+", "removed": "-", "changed": "~", "moved": "↕"}
_SHARED = 3  # a change that so many artifacts share is told once
_LONG = 200
_PROGRAMS = ("text/cql", "statements")  # told by name alone
_KNOWN_BY = (
    "title",
    "text",
    "display",
    "definitionCanonical",
    "valueString",
    "resource",
    "expression",
    "code",
    "value",
)


def as_json(difference: Difference) -> dict[str, Any]:
    """Give everything as plain JSON: each change with both values, also those that are generated."""
    return {
        "package": difference.package,
        "old": difference.old,
        "new": difference.new,
        "needed": difference.needed.word,
        "made": difference.made.word,
        "enough": difference.enough,
        "counts": dict(sorted(Counter(one.state for one in difference.artifacts).items())),
        "artifacts": [
            {
                "type": one.type,
                "id": one.id,
                "url": one.url,
                "state": one.state,
                "needed": one.needed.word,
                **({} if one.made is None else {"made": one.made.word}),
                "enough": one.enough,
                "changes": [_change(change) for change in one.changes],
            }
            for one in difference.artifacts
            if one.state != "same"
        ],
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "path": change.path,
        "what": change.what,
        "needed": change.step.word,
        "why": change.why,
        **({"old": change.old} if change.old is not None and not change.generated else {}),
        **({"new": change.new} if change.new is not None and not change.generated else {}),
        **({"generated": True} if change.generated else {}),
    }


def draw(difference: Difference, console: Console) -> None:
    """Draw the changes by the step they need, the largest first, and then the answer."""
    console.print(Text.assemble((difference.package, "bold"), f"  {difference.old} → {difference.new}\n"))
    shared = _shared(difference.artifacts)
    told = [(one, [change for change in one.changes if _told(change, shared)]) for one in difference.artifacts]
    for step in (Step.MAJOR, Step.MINOR, Step.PATCH):
        for artifact, changes in told:
            if artifact.needed is step and changes:
                _draw_artifact(artifact, changes, difference.made, console)
    for key, count in shared.items():
        console.print(Text.assemble((" patch ", f"{_COLOUR[Step.PATCH]} reverse"), f" alike in {count} artifacts"))
        _draw_change(next(one for each in difference.artifacts for one in each.changes if _key(one) == key), console)
        console.print()
    _draw_rest(difference, console)
    _draw_answer(difference, console)


def _draw_artifact(artifact: Artifact, changes: list[Change], made: Step, console: Console) -> None:
    badge = Text(f" {artifact.needed.word} ", _COLOUR[artifact.needed] + " reverse")
    console.print(Text.assemble(badge, f" {artifact.type} ", (artifact.id, "bold")))
    if artifact.made not in {None, made}:
        console.print(
            Padding(Text("its version went another step than that of the package", "red"), (0, 0, 0, 2), expand=False)
        )
    told = sorted(changes, key=lambda one: -one.step)
    for (step, why), group in groupby(told, key=lambda one: (one.step, one.why)):
        console.print(
            Padding(Text.assemble((step.word, _COLOUR[step]), (f": {why}", "italic")), (0, 0, 0, 2), expand=False)
        )
        for change in group if artifact.state == "changed" else ():
            _draw_change(change, console)
    console.print()


def _draw_change(change: Change, console: Console) -> None:
    line = Text.assemble((_SIGN[change.what], _COLOUR[change.step]), f"\N{NO-BREAK SPACE}{change.path}")
    console.print(Padding(line, (0, 0, 0, 4), expand=False))
    for word, value in (("was", change.old), ("now", change.new)):
        said = "" if change.path.startswith(_PROGRAMS) else _short(value)
        if said:
            console.print(Padding(Text(f"{word}: {said}", "dim"), (0, 0, 0, 6), expand=False))


def _draw_rest(difference: Difference, console: Console) -> None:
    """Say how much is not told above, so that nothing seems to be left out in silence."""
    states = Counter(one.state for one in difference.artifacts)
    generated = Counter(
        change.path.partition("[")[0] for one in difference.artifacts for change in one.changes if change.generated
    )
    if generated:
        names = ", ".join(f"{name} {count}" for name, count in sorted(generated.items()))
        console.print(Text(f"Generated from the rest, told by --json: {names}.", "dim"))
    console.print(
        ", ".join(f"{states[name]} {name}" for name in ("added", "removed", "changed"))
        + f"; {states['same']} the same but for version and date."
    )


def _draw_answer(difference: Difference, console: Console) -> None:
    needed, made = difference.needed, difference.made
    asked = "no new version" if needed is Step.NONE else f"{needed.word} step"
    line = Text.assemble("Needed: ", (asked, _COLOUR[needed]), ". Made: ", (_word(made), _COLOUR[made]), ". ")
    if difference.enough:
        console.print(line.append("Enough.", style="green"))
        return
    if made is Step.BACK:
        advice = "The second version is the older one; name the older first."
    elif made < needed:
        advice = f"Not enough: the version has to be {next_version(difference.old, needed)} or later."
    else:
        advice = "Not enough: an artifact kept its own version; give it that of the package."
    console.print(line.append(advice, style="bold red"))


def next_version(old: str, step: Step) -> str:
    """Give the smallest version that is a step above another."""
    numbers = [int(part) for part in old.partition("+")[0].partition("-")[0].split(".")]
    place = Step.MAJOR - step
    return ".".join(str(part) for part in [*numbers[:place], numbers[place] + 1, *[0] * (2 - place)])


def _word(step: Step) -> str:
    return {Step.NONE: "no step", Step.BACK: "a step back"}.get(step, f"{step.word} step")


def _shared(artifacts: Iterable[Artifact]) -> dict[Key, int]:
    counts = Counter(_key(change) for one in artifacts for change in one.changes if _common(change))
    return {key: count for key, count in counts.items() if count >= _SHARED}


def _common(change: Change) -> bool:
    return change.step is Step.PATCH and not change.generated and bool(change.path)


def _told(change: Change, shared: dict[Key, int]) -> bool:
    return not change.generated and not (_common(change) and _key(change) in shared)


def _key(change: Change) -> Key:
    return change.path, change.what, canonical_json(change.old), canonical_json(change.new)


def _short(value: Any) -> str:
    """Say a value in a few words; of a whole element what a reader knows it by, if it has that."""
    if isinstance(value, dict):
        value = next((value[name] for name in _KNOWN_BY if isinstance(value.get(name), str)), "")
    if value is None or isinstance(value, list):
        return ""
    text = " ".join((value if isinstance(value, str) else canonical_json(value).decode()).split())
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"
