"""Everything wrong with the content, kept until all of it is known: one run shows an author every mistake."""

from __future__ import annotations

from ankle_cds.errors import ContentError


class Findings:
    """Collects mistakes; `raise_any` refuses the content if there is one."""

    def __init__(self) -> None:
        self.items: list[ContentError] = []

    def refuse(self, message: str, where: str, spec: str | None = None) -> None:
        """Keep one mistake: what is wrong and what to do, at `file:line`, against the rule at `spec`."""
        self.items.append(ContentError(message, where=where, spec=spec))

    def take(self, error: ContentError) -> None:
        """Keep a mistake that was raised elsewhere; an error that lists causes stands for its causes."""
        self.items.extend(error.causes or (error,))

    def raise_any(self, subject: str) -> None:
        """Raise ContentError listing all that was kept, each once; do nothing when nothing was."""
        unique = list({str(item): item for item in self.items}.values())
        if len(unique) == 1:
            raise unique[0]
        if unique:
            raise ContentError(f"{len(unique)} mistakes; correct each.", where=subject, causes=tuple(unique))
