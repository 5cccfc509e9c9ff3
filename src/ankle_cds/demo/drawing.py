"""Cards on a terminal: what a clinician would see, in words first and in colour second.

Every level, state and button is a word, so that nothing is lost without colour, in a pipe or on paper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich import box
from rich.console import Group
from rich.markdown import Heading, Markdown, MarkdownElement
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from ankle_cds.demo.reasons import Why
    from ankle_cds.stories import Story

_OK = 200
_LEVELS = {"critical": "bold white on red", "warning": "bold black on yellow", "info": "bold white on blue"}
_BORDERS = {"critical": "red", "warning": "yellow", "info": "blue"}


class _LeftHeading(Heading):
    """A heading that stands where the eye looks for it, with its level as weight instead of a box."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console, options
        self.text.justify = "left"
        self.text.stylize("bold cyan")
        yield Text()
        yield self.text


class _Markdown(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {**Markdown.elements, "heading_open": _LeftHeading}


def opening(story: Story, number: int, count: int) -> RenderableType:
    """Draw what the EHR does: who comes, when, and which hook fires."""
    clock = f"{story.clock:%a %d %b %Y, %H:%M} UTC{story.clock.isoformat()[-6:]}"
    lines: list[RenderableType] = [
        Rule(Text(f"{number} of {count}  {story.title}", style="bold"), align="left", characters="─"),
        Text(f"{story.id}\n{story.hook}, {clock}", style="dim"),
    ]
    changes = [
        *(f"{key} comes as an error" for key in story.unavailable),
        *(f"{key} is not sent" for key in story.omit),
        *(f"{key} is sent as null" for key in story.empty),
        *(f"site sets {name}" for name in story.parameters),
    ]
    if changes:
        lines.append(Text(", ".join(changes), style="yellow"))
    lines.append(Padding(_Markdown(_first_section(story.text)), (0, 0, 1, 0)))
    return Group(*lines)


def answer(status: int, body: Any, why: Sequence[Why]) -> RenderableType:
    """Draw the service's answer: its cards, its silence or its refusal, and under it the facts that decided."""
    drawn = list(_answer(status, body))
    if why:
        drawn.append(Padding(_why(why), (0, 0, 1, 2)))
    return Group(*drawn)


def _why(why: Sequence[Why]) -> RenderableType:
    parts: list[RenderableType] = [Text("Why", style="bold")]
    for each in why:
        facts = Table.grid(padding=(0, 2))
        for words, sources in each.facts:
            facts.add_row(Text(words, style="dim"), Text(", ".join(sources), style="dim cyan", overflow="fold"))
        parts += [Text(each.heading, style="italic"), Padding(facts, (0, 0, 0, 2))]
    return Group(*parts)


def _answer(status: int, body: Any) -> Iterable[RenderableType]:
    if status != _OK:
        yield _refusal(status, body)
        return
    cards = body["cards"]
    if not cards:
        silence = Text("No card: no recommendation applies.")
        yield Panel(silence, box=box.ROUNDED, border_style="dim", title=" SILENT ", title_align="left")
    for card in cards:
        yield _card(card)


def _refusal(status: int, outcome: Any) -> Panel:
    text = Text()
    for issue in outcome["issue"]:
        named = f": {issue['diagnostics']}" if "diagnostics" in issue else ""
        text.append(f"{issue['details']['text'].rstrip('.')}{named}\n")
    text.rstrip()
    title = Text(f" ERROR {status} ", style=_LEVELS["critical"])
    return Panel(text, box=box.HEAVY, border_style="red", title=title, title_align="left")


def _card(card: dict[str, Any]) -> Panel:
    level = card["indicator"]
    parts: list[RenderableType] = [Text(card["summary"], style="bold")]
    if "detail" in card:
        parts.append(Padding(_Markdown(card["detail"]), (1, 0, 0, 0)))
    if card.get("suggestions"):
        choice = {"any": "choose any", "at-most-one": "choose at most one"}[card["selectionBehavior"]]
        parts.append(Padding(_buttons(card["suggestions"], choice), (1, 0, 0, 0)))
    source = card["source"]
    parts.append(Padding(Text(f"Source: {source['label']}\n{source.get('url', '')}", style="dim"), (1, 0, 0, 0)))
    return Panel(
        Group(*parts),
        box=box.HEAVY if level == "critical" else box.ROUNDED,
        border_style=_BORDERS[level],
        title=Text(f" {level.upper()} ", style=_LEVELS[level]),
        title_align="left",
        padding=(0, 1),
    )


def _buttons(suggestions: list[dict[str, Any]], choice: str) -> RenderableType:
    lines = [Text(f"Suggestions ({choice})", style="dim")]
    for suggestion in suggestions:
        recommended = suggestion.get("isRecommended", False)
        line = Text(f"[ {suggestion['label']} ]", style="bold reverse" if recommended else "bold")
        drafts = [action["resource"]["resourceType"] for action in suggestion["actions"] if "resource" in action]
        notes = (["recommended"] if recommended else []) + [f"drafts {kind}" for kind in drafts]
        lines.append(Text.assemble(line, (f"  {', '.join(notes)}", "dim")))
    return Group(*lines)


def results(rows: Iterable[tuple[str, str, str, float]]) -> Table:
    """Draw the last table: story, what was expected, what came (empty when the same), milliseconds in the service."""
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title="Every story",
        title_justify="left",
        title_style="bold",
        pad_edge=False,
    )
    table.add_column("Story", overflow="fold")
    table.add_column("Expected", overflow="fold")
    table.add_column("Got", overflow="fold")
    table.add_column("ms", justify="right", no_wrap=True)
    for story, expected, got, milliseconds in rows:
        verdict = Text(f"DIFFERENT: {got}", style="bold red") if got else Text("the same", style="green")
        table.add_row(story, expected, verdict, f"{milliseconds:.0f}")
    return table


def _first_section(text: str) -> str:
    """Take the first paragraph under the first second-level heading: who the story is about."""
    _, _, after = text.partition("\n## ")
    _, _, body = after.partition("\n")
    return body.split("\n\n## ", 1)[0].strip()
