"""Details that fit: two become one where a card speaks of both sides, and a long list of facts is cut and counted.

What cards that are not shown have to tell comes as sections of its own, each with the heading the content gave it.

A detail is sections: a heading (a Markdown heading, or a line in bold), paragraphs, then a list. Its first list holds
the facts; nothing else is ever cut, because what is not known and the limits of the advice have to be read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 2_000  # UTF-16 code units
_ITEM = "- "
_ALL = 10_000  # more lines than any list has
_MOST_ITEMS = 10  # lines of a list, which then says how many more there are
_MORE = re.compile(r"- and ([0-9]{1,3}) more")
_HEADING = re.compile(r"#{1,6} .+|\*\*.+\*\*:?")


@dataclass(slots=True)
class _Section:
    paragraphs: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    more: int = 0

    def text(self) -> str:
        items = [*self.items, *([f"{_ITEM}and {self.more} more"] if self.more else [])]
        return "\n\n".join([*self.paragraphs, *(["\n".join(items)] if items else [])])


def units(text: str) -> int:
    """Count as clients do: UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def join(first: str, second: str) -> str:
    """Join two details: each section keeps its heading once, with what both say once, then what is only the second's.

    A list that grows too long keeps the first lines of both and says how many more there are.
    """
    return _fitting(_sections(first), _sections(second))


def fit(text: str, recorded: Sequence[str] = ()) -> str:
    """Give a detail as it is when it fits, else with fewer of its facts and their number.

    `recorded` is what cards that are not shown tell: it follows the facts, and is cut and counted before they are.
    """
    if not recorded and units(text) <= LIMIT:
        return text
    sections = _sections(text)
    added: dict[str, _Section] = {}
    for one in recorded:
        for heading, section in _sections(one).items():
            added[heading] = _joined(added.get(heading, _Section()), section, _ALL)
    known = {heading: _joined(section, added.pop(heading, _Section()), _ALL) for heading, section in sections.items()}
    at = next((at for at, section in enumerate(sections.values(), start=1) if section.items), len(sections))
    parts = list(known.items())
    return _fitting(dict([*parts[:at], *added.items(), *parts[at:]]), {}, frozenset(added))


def _fitting(
    sections: dict[str, _Section], others: dict[str, _Section], first_cut: frozenset[str] = frozenset()
) -> str:
    """Show as many facts as fit, half of them of each side; what is still too long is left for the self-check.

    The lists under the headings of `first_cut` get shorter first.
    """
    order = _order(sections, others)
    facts = next((one for one in order if any(one in held and held[one].items for held in (sections, others))), None)
    text = ""
    lengths = range(_MOST_ITEMS, 0, -1)
    for most, rest in [*((_MOST_ITEMS, rest) for rest in lengths if first_cut), *((most, 1) for most in lengths)]:
        allowed = dict.fromkeys(first_cut, rest) | ({} if facts in first_cut else {facts: most})
        joined = {
            heading: _joined(
                sections.get(heading, _Section()),
                others.get(heading, _Section()),
                allowed.get(heading, _MOST_ITEMS),
            )
            for heading in order
        }
        text = "\n\n".join(part for heading, section in joined.items() for part in (heading, section.text()) if part)
        if units(text) <= LIMIT:
            break
    return text


def _joined(first: _Section, second: _Section, most: int) -> _Section:
    paragraphs = [*first.paragraphs, *(one for one in second.paragraphs if one not in first.paragraphs)]
    added = [item for item in second.items if item not in first.items]
    kept = first.items[: max(most - len(added), (most + 1) // 2)]
    items = [*kept, *added[: most - len(kept)]]
    dropped = len(first.items) + len(added) - len(items)
    return _Section(paragraphs, items, first.more + second.more + dropped)


def _order(first: dict[str, _Section], second: dict[str, _Section]) -> list[str]:
    """Keep the first's order; a heading that only the second has follows the one before it there."""
    order = list(first)
    at = 0
    for heading in second:
        if heading in order:
            at = order.index(heading) + 1
        else:
            order.insert(at, heading)
            at += 1
    return order


def _sections(text: str) -> dict[str, _Section]:
    sections: dict[str, _Section] = {}
    current = ""
    paragraph: list[str] = []
    for line in [*text.split("\n"), ""]:
        prose = bool(line.strip()) and not line.startswith(_ITEM) and not _HEADING.fullmatch(line)
        if paragraph and not prose:
            sections.setdefault(current, _Section()).paragraphs.append("\n".join(paragraph))
            paragraph = []
        if prose:
            paragraph.append(line)
        elif _HEADING.fullmatch(line):
            current = line
            sections.setdefault(current, _Section())
        elif match := _MORE.fullmatch(line):
            sections.setdefault(current, _Section()).more += int(match[1])
        elif line.startswith(_ITEM):
            sections.setdefault(current, _Section()).items.append(line)
    return sections
