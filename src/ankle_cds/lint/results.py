"""From looks to results: the figure of each check, its state, and the score of each feature that the figures give."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from ankle_cds.lint.looking import checks
from ankle_cds.lint.reports import Reports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ankle_cds.lint.built import Built
    from ankle_cds.lint.looking import Check

_ELSEWHERE_AT_MOST = 2  # a part that is not measured here cannot give the best score
_NOTHING = "found nothing to look at: it proves nothing"


class State(Enum):
    """Whether a check holds; what another step measures is neither green nor red."""

    PASS = "pass"  # noqa: S105  # no password
    FAIL = "fail"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Result:
    """One check of one line: what was claimed, how much was looked at, how much of it holds, and what does not."""

    line: str
    name: str
    what: str
    state: State
    seen: int = 0
    good: int = 0
    findings: tuple[tuple[str, str], ...] = ()
    proof: str = ""

    @property
    def figure(self) -> str:
        """The measured figure."""
        return f"{self.good} of {self.seen}" if self.seen else "-"

    @property
    def share(self) -> float:
        """The share that holds; nothing looked at is nothing that holds."""
        return self.good / self.seen if self.seen else 0.0


@dataclass(frozen=True, slots=True)
class Score:
    """One scored feature: what others reached, our goal, the figure that decides, and the score it gives."""

    number: int
    name: str
    others: tuple[int, ...]
    goal: int
    figure: str
    score: int
    because: str


def measure(check: Check, built: Built) -> Result:
    """Run one check."""
    looks = list(check.function(built))
    findings = tuple((one.where, one.problem) for one in looks if one.problem is not None)
    good = len(looks) - len(findings)
    if not looks:
        findings = (("", _NOTHING),)
    state = State.FAIL if findings else State.PASS
    return Result(check.line, check.name, check.what, state, len(looks), good, findings)


def run(built: Built, reports: Reports | None = None) -> Iterator[Result]:
    """Run every check, then tell what is measured elsewhere, then what nobody measures.

    What `reports` say of a proof is its figure: green when every run of it passed, red when one did not.
    """
    measured = set()
    for check in checks():
        measured.add(check.line)
        yield measure(check, built)
    for row in built.expected["elsewhere"]:
        measured.add(row["id"])
        yield _elsewhere(row, built, reports or Reports())
    for row in built.expected["lines"]:
        if row["id"] not in measured:
            nobody = (("", "no check and no other step measures this line"),)
            yield Result(row["id"], "not-measured", row["passes"], State.FAIL, findings=nobody)


def _elsewhere(row: Mapping[str, str], built: Built, reports: Reports) -> Result:
    """Tell which step measures it; red where none does, or where the step named is not in the checkout."""
    proof = " ".join(part for part in (row.get("proof"), row.get("step")) if part)
    problem = "" if proof else "measured nowhere yet"
    if proof and built.root is not None:
        path = built.root / row["proof"]
        if not path.is_file() or row.get("step", "") not in path.read_text("utf-8"):
            problem = f"{proof} does not exist"
    seen, good = reports.shown(row["proof"], row.get("step", "")) if proof and not problem else (0, 0)
    if good < seen:
        problem = f"{seen - good} of {seen} failed or were skipped"
    findings = (("", problem),) if problem else ()
    state = State.FAIL if problem else State.PASS if seen else State.ELSEWHERE
    return Result(row["id"], row["name"], row["what"], state, seen, good, findings, proof)


def score(results: Sequence[Result], expected: Mapping[str, Any]) -> Iterator[Score]:
    """Give each feature the score that the smallest share among its checks gives, by the table of the scores."""
    by_name = {result.name: result for result in results}
    rules = sorted(expected["scores"], key=lambda rule: -float(rule["share"]))
    for row in expected["features"]:
        worst = min((by_name[name] for name in row["checks"]), key=lambda result: result.share)
        rule = next(rule for rule in rules if worst.share >= float(rule["share"]))
        given, because = int(rule["score"]), str(rule["because"])
        limit = int(row.get("limit", given))
        if given > limit:
            given, because = limit, str(row["because"])
        other = by_name.get(str(row.get("elsewhere")))
        if other is not None and other.state is not State.PASS and given > _ELSEWHERE_AT_MOST:
            given, because = _ELSEWHERE_AT_MOST, f"{other.name} is not shown here: {other.proof or 'nowhere yet'}"
        figure = f"{worst.figure} ({worst.name})"
        yield Score(
            int(row["number"]), str(row["name"]), tuple(row["others"]), int(row["goal"]), figure, given, because
        )
