"""Details that fit: two become one where a card speaks of both sides, and a long list of facts is cut and counted.

A detail is sections: a heading (a Markdown heading, or a line in bold), paragraphs, then a list. Its first list holds
the facts; nothing else is ever cut, because what is not known and the limits of the advice have to be read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

LIMIT = 2_000  # UTF-16 code units
_ITEM = "- "
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


def fit(text: str) -> str:
    """Give a detail as it is when it fits, else with fewer of its facts and their number."""
    return text if units(text) <= LIMIT else _fitting(_sections(text), {})


def _fitting(sections: dict[str, _Section], others: dict[str, _Section]) -> str:
    """Show as many facts as fit, half of them of each side; what is still too long is left for the self-check."""
    order = _order(sections, others)
    facts = next((one for one in order if any(one in held and held[one].items for held in (sections, others))), None)
    text = ""
    for most in range(_MOST_ITEMS, 0, -1):
        joined = {
            heading: _joined(
                sections.get(heading, _Section()),
                others.get(heading, _Section()),
                most if heading == facts else _MOST_ITEMS,
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
