"""The tables of an examination: rows, counts by level, scored features."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from ankle_cds.conformance.results import State, by_level, weighted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from ankle_cds.conformance.results import Result, Score

_COLOUR = {
    State.PASS: "green",
    State.FAIL: "red",
    State.NOT_APPLICABLE: "dim",
    State.NOT_OBSERVABLE: "yellow",
    State.OPEN: "magenta",
}
_OTHERS = ("HC", "AHRQ", "HAPI")  # HealthChain 0.16.1, AHRQ CQL Services 3.2.0, HAPI with clinical-reasoning
_FIRST = 3


def document(service: str, results: Sequence[Result], scores: Sequence[Score]) -> dict[str, Any]:
    """Give everything as plain JSON: rows with all findings, counts by level, features, and the weighted sum."""
    reached, possible = _sum(scores)
    return {
        "service": service,
        "rows": [
            {
                "key": result.row.key,
                "level": result.row.level,
                "binds": result.row.binds,
                "source": result.row.where,
                "says": result.row.says,
                "state": result.state.value,
                "check": result.row.by if result.row.how == "http" else result.row.proof,
                "figure": {"seen": result.seen, "good": result.good},
                "reason": result.reason,
                "findings": [{"where": where, "problem": problem} for where, problem in result.findings],
            }
            for result in results
        ],
        "levels": by_level(results),
        "features": [
            {
                "no": one.feature.number,
                "weight": one.feature.weight,
                "name": one.feature.name,
                "goal": one.feature.goal,
                "score": one.score,
                "because": one.because,
            }
            for one in scores
        ],
        "score": {"reached": reached, "possible": possible},
    }


def draw(
    service: str, results: Sequence[Result], scores: Sequence[Score], console: Console, *, short: bool = False
) -> None:
    """Draw the tables and the sums; of the rows, where it shall be `short`, only those that did not pass."""
    shown = [result for result in results if not short or result.state is not State.PASS]
    console.print(_rows(service, shown))
    console.print(_levels(results))
    console.print(_features(scores))
    reached, possible = _sum(scores)
    share = f" = {100 * reached / possible:.0f} %" if possible else ""
    console.print(f"Weighted score of what could be seen: {reached} of {possible}{share}.")
    count = Counter(result.state for result in results)
    console.print(", ".join(f"{count[state]} {state.value}" for state in State) + f" of {len(results)} rows.")


def _sum(scores: Sequence[Score]) -> tuple[int, int]:
    return weighted((one.score, one.feature.weight) for one in scores)


def _rows(service: str, results: Sequence[Result]) -> Table:
    table = Table(title=f"CDS Hooks 2.0 and the ballot of 3.0: {service}", title_justify="left", expand=True)
    for name in ("key", "level", "binds", "what it says", "seen", "state"):
        table.add_column(name, overflow="fold", no_wrap=name in {"key", "seen"}, ratio=1 if "what" in name else None)
    for result in results:
        what = Text(result.row.says)
        for where, problem in result.findings[:_FIRST]:
            what.append(f"\n  {where}: {problem}", style="red")
        more = len(result.findings) - _FIRST
        if more > 0:
            what.append(f"\n  and {more} more: --json lists all", style="red")
        if result.reason:
            what.append(f"\n  {result.reason}", style=_COLOUR[result.state])
        key = result.row.key.removeprefix("cds-hooks_2.0")
        figure = f"{result.good} of {result.seen}" if result.seen else "-"
        state = Text(result.state.value, style=_COLOUR[result.state])
        table.add_row(key, result.row.level, result.row.binds, what, figure, state)
    return table


def _levels(results: Sequence[Result]) -> Table:
    table = Table(title="By level", title_justify="left")
    for name in ("level", *(state.value for state in State), "all"):
        table.add_column(name, justify="left" if name == "level" else "right")
    for level, count in by_level(results).items():
        table.add_row(level, *(str(number) for number in count.values()), str(sum(count.values())))
    return table


def _features(scores: Sequence[Score]) -> Table:
    title = "Scored features (0 absent, 1 partial, 2 conforms, - not known)"
    table = Table(title=title, title_justify="left", expand=True)
    for name in ("no", "w", "feature", *_OTHERS, "goal", "here", "because"):
        wide = name in {"feature", "because"}
        table.add_column(name, justify="left" if wide else "right", ratio=1 if wide else None, no_wrap=not wide)
    for one in scores:
        feature = one.feature
        style = "yellow" if one.score is None else "green" if one.score >= feature.goal else "red"
        others = [_said(score) for score in feature.others]
        row = [str(feature.number), str(feature.weight), feature.name, *others, str(feature.goal)]
        table.add_row(*row, Text(_said(one.score), style=style), one.because)
    sums = [weighted(_column(scores, at)) for at in range(len(_OTHERS))]
    goal = weighted((one.feature.goal, one.feature.weight) for one in scores)
    cells = [f"{100 * reached / (possible or 1):.0f}%" for reached, possible in (*sums, goal, _sum(scores))]
    table.add_row("", "", "weighted", *cells, "")
    return table


def _column(scores: Sequence[Score], at: int) -> list[tuple[int | None, int]]:
    return [(one.feature.others[at], one.feature.weight) for one in scores]


def _said(score: int | None) -> str:
    return "-" if score is None else str(score)
