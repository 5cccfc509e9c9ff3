"""The two tables: the checklist line by line, and the scored features."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from ankle_cds.lint.results import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.console import Console

    from ankle_cds.lint.results import Result, Score

_COLOUR = {State.PASS: "green", State.FAIL: "red", State.ELSEWHERE: "yellow"}
_FIRST = 3


def document(
    results: Sequence[Result], scores: Sequence[Score], expected: Mapping[str, Any], locate: Callable[[str], str]
) -> dict[str, Any]:
    """Give everything as plain JSON: counts, every check with all its findings, every score, the sum and the bar."""
    scopes = {row["id"]: row["scope"] for row in expected["lines"]}
    return {
        "counts": counts(results),
        "checks": [
            {
                "id": result.line,
                "scope": scopes.get(result.line, "feature"),
                "check": result.name,
                "what": result.what,
                "figure": {"seen": result.seen, "good": result.good},
                "state": result.state.value,
                **({"proof": result.proof} if result.proof else {}),
                "findings": [
                    {"where": where, "at": locate(where), "problem": problem} for where, problem in result.findings
                ],
            }
            for result in results
        ],
        "features": [
            {
                "no": one.number,
                "name": one.name,
                "others": list(one.others),
                "goal": one.goal,
                "figure": one.figure,
                "score": one.score,
                "because": one.because,
            }
            for one in scores
        ],
        "score": sum(one.score for one in scores),
        "goal": sum(one.goal for one in scores),
        "bar": expected["bar"],
    }


def counts(results: Sequence[Result]) -> dict[str, int]:
    """Count the checks by state."""
    found = Counter(result.state for result in results)
    return {state.value: found[state] for state in State}


def draw(
    results: Sequence[Result],
    scores: Sequence[Score],
    expected: Mapping[str, Any],
    locate: Callable[[str], str],
    console: Console,
    *,
    short: bool = False,
) -> None:
    """Draw both tables and the sums; of the checklist, where it shall be `short`, only the lines that are not green."""
    shown = [result for result in results if not short or result.state is not State.PASS]
    console.print(_checklist(shown, expected, locate))
    console.print(_features(scores))
    total, bar = sum(one.score for one in scores), expected["bar"]
    goal = sum(one.goal for one in scores)
    console.print(f"Score by the figures above: {total}; goal {goal}, bar {bar}.")
    number = counts(results)
    console.print(
        f"{number['pass']} checks green, {number['fail']} red; {number['elsewhere']} measured elsewhere, "
        "which count neither way."
    )


def _checklist(results: Sequence[Result], expected: Mapping[str, Any], locate: Callable[[str], str]) -> Table:
    scopes = {row["id"]: row["scope"] for row in expected["lines"]}
    table = Table(title="Acceptance checklist", title_justify="left", show_lines=False)
    for name in ("id", "scope", "what", "figure", "state"):
        table.add_column(name, overflow="fold", no_wrap=name in {"id", "figure", "state"})
    for result in sorted(results, key=lambda one: (one.line.startswith("F"), one.line, one.name)):
        what = Text(result.what)
        for where, problem in result.findings[:_FIRST]:
            place = locate(where)
            at = where if place in {where, ""} else f"{where} ({place})"
            what.append(f"\n  {at}: {problem}" if where else f"\n  {problem}", style="red")
        more = len(result.findings) - _FIRST
        if more > 0:
            what.append(f"\n  and {more} more: `ankle-cds lint --json` lists all", style="red")
        if result.proof:
            what.append(f"\n  {result.proof}", style="yellow")
        state = Text(result.state.value, style=_COLOUR[result.state])
        table.add_row(result.line, scopes.get(result.line, "feature"), what, result.figure, state)
    return table


def _features(scores: Sequence[Score]) -> Table:
    table = Table(title="Scored features (0 absent to 3 excellent)", title_justify="left")
    for name in ("no", "feature", "OPI", "ANC", "HIV", "CPG", "goal", "measured", "ours", "because"):
        table.add_column(name, overflow="fold")
    for one in scores:
        others = [str(value) for value in one.others]
        style = "green" if one.score >= one.goal else "red"
        row = [str(one.number), one.name, *others, str(one.goal), one.figure]
        table.add_row(*row, Text(str(one.score), style=style), one.because)
    return table
