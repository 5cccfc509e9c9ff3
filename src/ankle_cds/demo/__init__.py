"""The demonstration: plays every example story against the real service, as an EHR would, and draws what comes back.

stage     the service, over HTTP, at the time of a story
drawing   cards on a terminal
"""

from __future__ import annotations

import shlex
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ankle_cds import prefetch, stories
from ankle_cds.demo import drawing, reasons
from ankle_cds.demo.stage import Stage
from ankle_cds.errors import AnkleCdsError
from ankle_cds.fhir import read_json_file, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ankle_cds.demo.stage import Played
    from ankle_cds.stories import Story

DIFFERENT = 1
_WIDEST = 110  # columns; longer lines are hard to read


@dataclass(frozen=True, slots=True)
class Result:
    """How one story went: what was expected, what came (empty when the two are equal), and how long it took."""

    story: Story
    played: Played
    expected: str
    got: str

    def as_json(self) -> dict[str, Any]:
        """Give the result as plain JSON."""
        return {
            "story": self.story.id,
            "same": not self.got,
            "status": self.played.status,
            "body": self.played.body,
            "milliseconds": round(self.played.milliseconds, 1),
        }


def run(
    *,
    names: Sequence[str] = (),
    keep: bool = False,
    port: int = 0,
    as_json: bool = False,
    update: bool = False,
    examples: Path | None = None,
    console: Console | None = None,
    wait: Callable[[], object] | None = None,
) -> int:
    """Play the stories, draw them, and give the exit code: 0 when every answer is the expected one, else 1.

    `names` chooses stories (all when empty). With `keep` the service stays, at the time of one of the stories, until
    `wait` returns (default: until interrupted). With `as_json` one JSON document is written in place of the drawing.
    With `update` request.json and expected.json are written from what was played; look at their difference before you
    keep it. `examples` is where the stories stand (default: the project's own).

    Raises ContentError when a story or the content cannot be read, AnkleCdsError when a name is no story.
    """
    console = console or _console(quiet=as_json)
    chosen = _choose(stories.read_all(examples), names)
    with console.status("Loading the guideline"):
        stage = Stage(port=port)
    with stage:
        offered = stage.discover()
        hooks = ", ".join(service["hook"] for service in offered)
        console.print(f"{stage.url}/cds-services  offers {hooks}\n", highlight=False)
        results = _play(stage, chosen, console, update=update)
        different = [result for result in results if result.got]
        if as_json:
            sys.stdout.write(write_json([result.as_json() for result in results], indent=2).decode() + "\n")
        else:
            console.print(drawing.results((r.story.id, r.expected, r.got, r.played.milliseconds) for r in results))
            count = f"{len(results) - len(different)} of {len(results)} stories as expected"
            console.print(count, style="bold red" if different else "bold green", highlight=False)
        if keep:
            _keep(stage, _last(results, names), console, wait or threading.Event().wait)
    return DIFFERENT if different else 0


def _play(stage: Stage, chosen: Sequence[Story], console: Console, *, update: bool) -> list[Result]:
    results = []
    for number, story in enumerate(chosen, start=1):
        package = stage.packages[story.condition]
        if update:
            stories.write(story.request_file, story.request(prefetch.templates(package, story.hook)))
        request = read_json_file(story.request_file)
        console.print(drawing.opening(story, number, len(chosen)))
        with console.status(f"{story.hook}  {number} of {len(chosen)}"):
            played = stage.play(story, request)
        if update and stories.write(story.expected_file, played.body):
            console.print(f"written: {_near(story.expected_file)}", style="yellow", soft_wrap=True, highlight=False)
        why = reasons.decisive(played.guidance, package) if played.guidance is not None else []
        console.print(drawing.answer(played.status, played.body, why))
        results.append(_result(story, played))
    return results


def _result(story: Story, played: Played) -> Result:
    expected = read_json_file(story.expected_file)
    same = played.status == story.status and played.body == expected
    got = "" if same else _in_short(played.status, played.body)
    return Result(story, played, _in_short(story.status, expected), got)


def _in_short(status: int, body: Any) -> str:
    if status != stories.OK:
        return f"error {status}"
    named = [card["source"]["topic"]["code"] for card in body["cards"]]
    return "\n".join(named) or "no card"


def _choose(all_stories: Sequence[Story], names: Iterable[str]) -> tuple[Story, ...]:
    known = {story.id: story for story in all_stories}
    for name in names:
        if name not in known:
            raise AnkleCdsError(f"There is no story of this name; choose one of {', '.join(known)}.", where=name)
    return tuple(known[name] for name in names) or tuple(all_stories)


def _last(results: Sequence[Result], names: Sequence[str]) -> Story:
    """Choose the story whose curl line is printed: the last one asked for, else one whose cards show most."""
    if names:
        return results[-1].story
    plain = [result for result in results if not result.story.parameters]
    return max(plain or results, key=lambda result: len(str(result.played.body))).story


def _keep(stage: Stage, story: Story, console: Console, wait: Callable[[], object]) -> None:
    stage.set(story)
    request = _near(story.request_file)
    console.print(f"\nThe service keeps running, and for it it is {story.clock.isoformat()}.", highlight=False)
    console.print("Try next, in another terminal:\n", highlight=False)
    # Printed without wrapping, so that it can be copied from a narrow terminal too.
    line = f"curl -s -H 'Content-Type: application/json' -d @{shlex.quote(request)} {stage.address(story)}"
    console.print(line, style="bold", soft_wrap=True, highlight=False, markup=False)
    console.print("\nCtrl+C stops it.", highlight=False)
    try:
        wait()
    except KeyboardInterrupt:
        console.print("Stopped.")


def _near(path: Path) -> str:
    """Write a path as short as it works from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _console(*, quiet: bool) -> Console:
    if quiet:
        return Console(quiet=True)
    console = Console()
    return Console(width=min(console.width, _WIDEST)) if console.width > _WIDEST else console
