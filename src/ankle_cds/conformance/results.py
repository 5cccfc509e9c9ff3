"""From what the checks found to the state of each row and the score of each feature."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ankle_cds.conformance.looking import all_checks, examine
from ankle_cds.conformance.tables import features, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ankle_cds.conformance.looking import Found
    from ankle_cds.conformance.subject import Subject
    from ankle_cds.conformance.tables import Feature, Row
    from ankle_cds.lint import Reports

_FULL, _PART = 2, 1
_HALF = 0.5
_NOBODY = "no check looks at it"
_ELSEWHERE = "shown for our own service by"


class State(Enum):
    """What is known of a row; only `fail` is a finding against the service."""

    PASS = "pass"  # noqa: S105  # no password
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"
    NOT_OBSERVABLE = "not observable"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Result:
    """One row: its state, how much was looked at and how much of it is right, and why or what is wrong."""

    row: Row
    state: State
    seen: int = 0
    good: int = 0
    reason: str = ""
    findings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """One feature: its score, None where nothing of it was seen, and what it rests on."""

    feature: Feature
    score: int | None
    because: str


def run(subject: Subject, progress: Callable[[str], object] = lambda _name: None) -> dict[str, Found]:
    """Run every check, by name; raises ServerError where the service does not answer at all."""
    subject.connect()
    found = {}
    for name, check in all_checks().items():
        progress(name)
        found[name] = examine(check, subject)
    return found


def judge(found: Mapping[str, Found], *, own: bool, reports: Reports | None = None) -> list[Result]:
    """Give the result of every row. `own` says that the service is ours, `reports` what its tests have shown."""
    return [_judged(row, found, own=own, reports=reports) for row in rows()]


def score(found: Mapping[str, Found], results: Sequence[Result], reports: Reports | None = None) -> Iterator[Score]:
    """Give the score of every feature.

    2 when all parts were seen and all is right, 1 when at least half is, else 0. What a service makes no use of is
    absent. A part that was not seen leaves at most 1; where none was, the score is not known.
    """
    by_key = {result.row.key: result for result in results}
    for feature in features():
        shares = {part: _share(part, found, by_key, reports) for part in feature.parts}
        seen = [share for share in shares.values() if share is not None]
        unseen = [part for part, share in shares.items() if share is None]
        if not seen:
            yield Score(feature, None, feature.note or f"not seen {_few(unseen)}")
            continue
        mean = sum(seen) / len(seen)
        given = _FULL if mean == 1 and not unseen else _PART if mean >= _HALF else 0
        low = [part for part, share in shares.items() if share is not None and share < 1]
        because = f"{len(seen) - len(low)} of {len(shares)} parts"
        because += f"; lacks {_few(low)}" if low else ""
        because += f"; not seen {_few(unseen)}" if unseen else ""
        because += f"; {feature.note}" if feature.note else ""
        yield Score(feature, given, because)


def weighted(scores: Iterable[tuple[int | None, int]]) -> tuple[int, int]:
    """Sum scores by their weights: what was reached, and what could be, over those that are known."""
    known = [(given, weight) for given, weight in scores if given is not None]
    return sum(given * weight for given, weight in known), sum(_FULL * weight for _, weight in known)


def by_level(results: Iterable[Result]) -> dict[str, dict[str, int]]:
    """Count the states of each level, levels in the order in which they first stand."""
    counts: dict[str, Counter[str]] = {}
    for result in results:
        counts.setdefault(result.row.level, Counter())[result.state.value] += 1
    return {level: {state.value: count[state.value] for state in State} for level, count in counts.items()}


def _judged(row: Row, found: Mapping[str, Found], *, own: bool, reports: Reports | None) -> Result:
    if row.how in {"no", "open"}:
        state = State.OPEN if row.how == "open" else State.NOT_APPLICABLE
        return Result(row, state, reason=row.by) if own else Result(row, State.NOT_OBSERVABLE, reason=_NOBODY)
    if row.how == "test":
        seen, good = _reported(row, reports) if own else (0, 0)
        if seen:
            return Result(row, State.PASS if seen == good else State.FAIL, seen, good, row.proof)
        return Result(row, State.NOT_OBSERVABLE, reason=f"{row.by}; {_ELSEWHERE} {row.proof}")
    one = found[row.by]
    if not one.looks:
        return Result(row, State.NOT_APPLICABLE if one.unused else State.NOT_OBSERVABLE, reason=one.reason)
    findings = tuple((look.where, look.problem or "") for look in one.problems)
    state = State.FAIL if findings else State.PASS
    return Result(row, state, len(one.looks), len(one.looks) - len(findings), row.note, findings)


def _reported(row: Row, reports: Reports | None) -> tuple[int, int]:
    """Give how many runs of the test of a row are reported, and how many passed; one that was skipped shows nothing."""
    if reports is None:
        return 0, 0
    path, _, name = row.proof.partition("::")
    file = path.removesuffix(".py").replace("/", ".")
    passed = [
        right for test, right in reports.tests.get(file, []) if test == name and (file, name) not in reports.skipped
    ]
    return len(passed), sum(passed)


def _share(
    part: str, found: Mapping[str, Found], by_key: Mapping[str, Result], reports: Reports | None
) -> float | None:
    """Give how much of a part is right, None where it was not seen."""
    if part in found:
        one = found[part]
        if not one.looks:
            return 0.0 if one.unused else None
        return 1 - len(one.problems) / len(one.looks)
    if part in by_key:
        result = by_key[part]
        known = {State.PASS: 1.0, State.FAIL: 0.0, State.OPEN: 0.0}
        return known.get(result.state)
    if part.startswith("tests/"):
        seen, good = reports.shown(part, "") if reports else (0, 0)
        return good / seen if seen else None
    return None


def _few(parts: Sequence[str], limit: int = 3) -> str:
    names = ", ".join(part.replace("_", " ") if "@" not in part and "/" not in part else part for part in parts[:limit])
    return names + (f" and {len(parts) - limit} more" if len(parts) > limit else "")
