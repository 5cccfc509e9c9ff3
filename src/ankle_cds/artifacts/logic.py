"""The CQL libraries and their translation, read from the content folder and told apart from stale ones.

ELM is generated from CQL by the reference translator and committed beside it. https://cql.hl7.org/elm.html
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ankle_cds.errors import ContentError
from ankle_cds.fhir import read_json_file, split_canonical

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ankle_cds.artifacts.externals import Externals
    from ankle_cds.artifacts.findings import Findings

_SPEC = "https://cql.hl7.org/elm.html"
_DEFINE = re.compile(
    r"^\s*define\s+(?:(?:private|public)\s+)?(?:fluent\s+)?(?:function\s+)?(?:\"((?:[^\"\\]|\\.)+)\"|([A-Za-z_]\w*))",
    re.MULTILINE,
)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_LIBRARY = re.compile(r"^\s*library\s+(?:\"([^\"]+)\"|([\w.]+))\s+version\s+'([^']+)'", re.MULTILINE)
_SUMS = "SHA256SUMS"
# Definitions the translator adds by itself and no author writes.
IMPLICIT = frozenset({"Patient", "Practitioner", "Unfiltered"})


@dataclass(frozen=True, slots=True)
class Logic:
    """One CQL library: `elm` is the `library` object of its translation, `cql` its source (None for one of others)."""

    name: str
    version: str
    elm: dict[str, Any]
    elm_path: Path
    cql: bytes | None
    cql_path: Path | None

    def defs(self, part: str) -> list[dict[str, Any]]:
        """Give the entries of a part: includes, parameters, valueSets, codeSystems, codes, statements."""
        entries = self.elm.get(part, {}).get("def", [])
        return entries if isinstance(entries, list) else []

    def where(self, locator: str | None) -> str:
        """`file:line` in the CQL of a translator locator (`12:1-14:9`)."""
        path = self.cql_path or self.elm_path
        return f"{path}:{locator.split(':')[0]}" if locator and self.cql_path else str(path)

    def included(self) -> dict[str, str]:
        """Local alias of each included library and its name."""
        return {entry["localIdentifier"]: str(entry["path"]).rsplit("/", 1)[-1] for entry in self.defs("includes")}


def read_logic(folder: Path, externals: Externals, findings: Findings) -> dict[str, Logic]:
    """Read `logic/*.cql` and `logic/elm/*.json`; every source needs its translation and the other way round."""
    sources = {path.stem: path for path in sorted(folder.glob("*.cql"))}
    read = [_read_elm(path, sources, findings) for path in sorted((folder / "elm").glob("*.json"))]
    libraries = {logic.name: logic for logic in read if logic is not None}
    for name, path in sources.items():
        if name not in libraries:
            findings.refuse("No translation of this library; run the translator.", f"{path}:1", _SPEC)
    summed = _check_sums(folder, sources, findings)
    for logic in libraries.values():
        if not summed:
            _check_fresh(logic, findings)
        if logic.cql_path is None and logic.name not in externals.libraries:
            findings.refuse(
                f"No source {logic.name}.cql belongs to this translation; remove it or add the source.",
                str(logic.elm_path),
            )
        for entry in logic.defs("includes"):
            name = str(entry["path"]).rsplit("/", 1)[-1]
            if name not in libraries:
                findings.refuse(
                    f"Includes {name}, which has no translation here; add it to logic/elm.",
                    logic.where(entry.get("locator")),
                )
    return libraries


def direct_codes(logic: Logic) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each code the library declares by itself with the url of its code system."""
    systems = {entry["name"]: split_canonical(entry["id"])[0] for entry in logic.defs("codeSystems")}
    for entry in logic.defs("codes"):
        yield entry, systems.get(entry.get("codeSystem", {}).get("name"), "")


def _read_elm(path: Path, sources: dict[str, Path], findings: Findings) -> Logic | None:
    try:
        library = read_json_file(path)["library"]
        identifier = library["identifier"]
        name, version = str(identifier["id"]), str(identifier.get("version", ""))
    except ContentError as error:
        findings.take(error)
        return None
    except (KeyError, TypeError):
        findings.refuse("Not a translated library; run the translator.", str(path), _SPEC)
        return None
    for note in library.get("annotation", []):
        if note.get("errorSeverity") == "error":
            findings.refuse(
                f"The translation failed: {note.get('message')}; correct the source and translate again.",
                f"{sources.get(name, path)}:{note.get('startLine', 1)}",
                _SPEC,
            )
    source = sources.get(name)
    return Logic(name, version, library, path, source.read_bytes() if source else None, source)


def _check_sums(folder: Path, sources: dict[str, Path], findings: Findings) -> bool:
    """Compare the sources with the digests the translator run left beside its output; False where it left none."""
    sums = folder / "elm" / _SUMS
    if not sums.is_file():
        return False
    rows = (line.partition("  ") for line in sums.read_text(encoding="utf-8").splitlines())
    recorded = {name.rsplit("/", 1)[-1]: digest for digest, _, name in rows}
    for path in sources.values():
        if recorded.get(path.name) != hashlib.sha256(path.read_bytes()).hexdigest():
            findings.refuse("The source has changed since it was translated; run the translator.", f"{path}:1", _SPEC)
    return True


def _check_fresh(logic: Logic, findings: Findings) -> None:
    """Compare name, version and definitions of the source with those of the translation."""
    if logic.cql is None or logic.cql_path is None:
        return
    text = logic.cql.decode()
    declared = _LIBRARY.search(text)
    identity = (declared[1] or declared[2], declared[3]) if declared else None
    if identity != (logic.name, logic.version):
        findings.refuse(
            f"The source does not declare library {logic.name} version '{logic.version}' as its translation does; "
            "run the translator.",
            f"{logic.cql_path}:{text[: declared.start()].count(chr(10)) + 1 if declared else 1}",
            _SPEC,
        )
    bare = _COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    defined = {match[1] or match[2]: bare[: match.end()].count("\n") + 1 for match in _DEFINE.finditer(bare)}
    translated = {entry["name"] for entry in logic.defs("statements")} - IMPLICIT
    for name in sorted(defined.keys() ^ translated):
        findings.refuse(
            f'"{name}" stands {"in the source only" if name in defined else "in the translation only"}; '
            "run the translator.",
            f"{logic.cql_path}:{defined.get(name, 1)}",
            _SPEC,
        )
