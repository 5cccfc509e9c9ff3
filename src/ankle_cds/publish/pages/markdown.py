"""Plain Markdown, readable on a terminal and in a browser: no HTML, no reference links, one paragraph a line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ankle_cds.fhir import Resource

_TAG = re.compile(r"<(?=[A-Za-z/!?])")


def words(text: str) -> str:
    """Put a text of the content into one line; what a browser would take for a tag is escaped."""
    return _TAG.sub(r"\\<", " ".join(text.split()))


def quoted(text: str) -> str:
    """Set a Markdown text of several lines as a quotation."""
    lines = _TAG.sub(r"\\<", text.strip()).split("\n")
    return "\n".join(f"> {line}".rstrip() for line in lines)


def link(label: str, target: str) -> str:
    """Link a label; brackets in it are escaped."""
    escaped = words(label).replace("[", r"\[").replace("]", r"\]")
    return f"[{escaped}]({target})"


def file_link(label: str, resource: Resource) -> str:
    """Link a label to the file of an artifact, which stands in the folder above the pages."""
    return link(label, f"../{resource['resourceType']}-{resource['id']}.json")


def bullets(items: Iterable[str]) -> str:
    """Write a list; an item that has more lines keeps them below its own bullet."""
    return "\n".join("- " + item.replace("\n", "\n  ") for item in items)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; a bar in a cell is escaped."""
    lines = [list(head), ["---"] * len(head), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    """Set program text as a block of its own."""
    return f"```\n{text.strip()}\n```"


def page(title: str, *blocks: str) -> str:
    """Join a title and blocks to a page; empty blocks are left out."""
    return "\n\n".join([f"# {words(title)}", *(block for block in blocks if block)]) + "\n"


def section(title: str, *blocks: str) -> str:
    """Give a section with its heading, nothing where it has no content."""
    filled = [block for block in blocks if block]
    return "\n\n".join([f"## {title}", *filled]) if filled else ""
