#!/usr/bin/env python3
"""Translate CQL to the ELM that is committed, or check that the committed ELM is what the CQL says.

The reference translator (Java, pinned in pom.xml) runs once for all libraries of a folder. Its output is
refused when it reports an error, a warning that allowed-warnings.tsv does not list with a reason, or a Null
that the source does not spell: a failed translation still returns ELM, with Null where the failure was.

What is written is deterministic: no path, no date, keys in one order, one definition a line.
FHIRHelpers 4.0.1 is the standard library as the translator's own artifact carries it.
ELM: https://cql.hl7.org/elm.html
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from java_tool import ToolError, classpath, run

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
ALLOWED = HERE / "allowed-warnings.tsv"
HELPERS = "FHIRHelpers"
SUMS = "SHA256SUMS"  # of the sources, so that stale ELM is seen without a translator
FIRST_KEYS = {"name": 0, "type": 1, "locator": 2}  # what a reader of a diff looks for
SECTIONS = ("usings", "includes", "parameters", "codeSystems", "valueSets", "codes", "concepts", "contexts")


class TranslationError(Exception):
    """What stands in the way, one sentence a line; nothing has been written."""


@dataclass(frozen=True)
class Message:
    """One message of the translator: severity Error, Warning or Info, and its place in a .cql file."""

    severity: str
    library: str
    line: int
    column: int
    text: str


def translate(cql: Path, raw: Path) -> list[Message]:
    """Leave the translator's own Name.json of every library of `cql` in `raw`; return its messages, each once."""
    output = run(
        ["java", "-Dfile.encoding=UTF-8", "-cp", classpath(HERE, "Translate"), "Translate", str(cql), str(raw)]
    )
    seen: dict[Message, None] = {}
    for line in output.splitlines():
        severity, library, row, column, text = line.split("\t", 4)
        seen[Message(severity, library, int(row), int(column), text)] = None
    return list(seen)


def nulls_not_in_source(library: dict[str, Any], source: str) -> Iterator[tuple[int, int]]:
    """Yield the line and column of every Null node whose place in the source does not read `null`."""
    lines = source.splitlines()

    def visit(node: Any, outer: str) -> Iterator[tuple[int, int]]:
        if isinstance(node, dict):
            locator = node.get("locator", outer)
            if node.get("type") == "Null":
                line, column = (int(part) for part in locator.partition("-")[0].split(":"))
                if "locator" in node and not lines[line - 1][column - 1 :].startswith("null"):
                    yield line, column
            for child in node.values():
                yield from visit(child, locator)
        elif isinstance(node, list):
            for child in node:
                yield from visit(child, outer)

    yield from visit(library, "1:1")


def in_order(node: Any) -> Any:
    """Return the same JSON with keys in one order and without the empty lists that say nothing."""
    if isinstance(node, dict):
        kept = {k: v for k, v in node.items() if not (k in {"annotation", "signature"} and v == [])}
        return {k: in_order(kept[k]) for k in sorted(kept, key=lambda key: (FIRST_KEYS.get(key, len(FIRST_KEYS)), key))}
    return [in_order(item) for item in node] if isinstance(node, list) else node


def compact(node: Any) -> str:
    """Return JSON without a needless byte."""
    return json.dumps(node, ensure_ascii=False, separators=(",", ":"))


def text_of(document: dict[str, Any]) -> str:
    """Return the one form in which ELM is committed: JSON, one definition a line."""
    library = in_order(document["library"])
    parts = [
        f"{compact(key)}:{compact(library[key])}"
        for key in ("identifier", "schemaIdentifier", "annotation")
        if key in library
    ]
    for key in (*SECTIONS, "statements"):
        if key in library:
            definitions = ",\n".join(compact(definition) for definition in library[key]["def"])
            parts.append(f'{compact(key)}:{{"def":[\n{definitions}\n]}}')
    unknown = set(library) - {"identifier", "schemaIdentifier", "annotation", "statements", *SECTIONS}
    if unknown:
        raise TranslationError(
            f"The translator wrote sections this script does not know: {', '.join(sorted(unknown))}."
        )
    return '{"library":{\n' + ",\n".join(parts) + "\n}}\n"


def allowed_warnings() -> dict[tuple[str, str], str]:
    """Return the reason for every allowed warning, by library and message."""
    with ALLOWED.open(encoding="utf-8", newline="") as file:
        return {(row["library"], row["message"]): row["reason"] for row in csv.DictReader(file, delimiter="\t")}


def judge(cql: Path, messages: list[Message], raw: Path, used: set[tuple[str, str]]) -> list[str]:
    """Return, as `file:line:column message`, everything for which this translation must be refused."""
    allowed = allowed_warnings()
    refused = []
    for message in messages:
        reason = allowed.get((message.library, message.text)) if message.severity == "Warning" else None
        if reason:
            used.add((message.library, message.text))
        elif message.severity != "Info":
            place = f"{cql / message.library}.cql:{message.line}:{message.column}"
            refused.append(f"{place}: {message.severity.lower()}: {message.text}")
    if not refused:
        for file in sorted(raw.glob("*.json")):
            source = raw / f"{HELPERS}.cql" if file.stem == HELPERS else cql / f"{file.stem}.cql"
            library = json.loads(file.read_text("utf-8"))["library"]
            for line, column in nulls_not_in_source(library, source.read_text("utf-8")):
                refused.append(
                    f"{cql / file.stem}.cql:{line}:{column}: error: translated to a Null that is not in the source"
                )
    return refused


def sums(cql: Path, raw: Path) -> str:
    """Return the digest of every source that was translated, in the format of sha256sum."""
    names = sorted(file.stem for file in raw.glob("*.json"))
    sources = [(raw if name == HELPERS else cql) / f"{name}.cql" for name in names]
    return "".join(f"{hashlib.sha256(source.read_bytes()).hexdigest()}  {source.name}\n" for source in sources)


def differences(path: Path, wanted: str) -> list[str]:
    """Return what differs between a committed file and what it should hold, naming definitions."""
    if not path.exists():
        return [f"{path}: missing"]
    present = path.read_text("utf-8")
    if present == wanted:
        return []
    if path.suffix != ".json":
        return [f"{path}: is not what the translation writes"]
    try:
        old, new = (definitions_of(json.loads(text)) for text in (present, wanted))
    except (ValueError, KeyError, TypeError):
        return [f"{path}: is not ELM as this script writes it"]
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return [f"{path}: {name} differs" for name in names] or [f"{path}: differs in form only"]


def definitions_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return each definition of a library under a name a person recognises (an overload has its place too)."""
    found: dict[str, Any] = {}
    for section, content in document["library"].items():
        if section in {*SECTIONS, "statements"}:
            for definition in content["def"]:
                name = f"{section} {definition.get('name') or definition.get('localIdentifier')}"
                while name in found:
                    name += "'"
                found[name] = definition
        else:
            found[section] = content
    return found


def process(cql: Path, elm: Path, check: bool, used: set[tuple[str, str]]) -> list[str]:
    """Translate one folder; write it, or with `check` compare it. Return what is wrong, one line each."""
    with tempfile.TemporaryDirectory() as temporary:
        raw = Path(temporary)
        messages = translate(cql, raw)
        refused = judge(cql, messages, raw, used)
        if refused:
            return refused
        wanted = {elm / file.name: text_of(json.loads(file.read_text("utf-8"))) for file in sorted(raw.glob("*.json"))}
        wanted[elm / SUMS] = sums(cql, raw)
        wanted[cql / f"{HELPERS}.cql"] = (raw / f"{HELPERS}.cql").read_text("utf-8")
    problems = [f"{path}: has no .cql; remove it" for path in sorted(elm.glob("*.json")) if path not in wanted]
    for path, text in wanted.items():
        if check:
            problems += differences(path, text)
        elif not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            sys.stdout.write(f"wrote {path}\n")
    return problems


def folders(options: argparse.Namespace) -> list[tuple[Path, Path]]:
    """Return the pairs of CQL and ELM folder to translate."""
    if options.cql:
        return [(options.cql, options.elm or options.cql / "elm")]
    found = sorted(PROJECT.glob("src/ankle_cds/content/*/logic"))
    if not found:
        raise TranslationError("There is no src/ankle_cds/content/*/logic folder: name one with --cql.")
    return [
        (folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder, folder / "elm")
        for folder in found
    ]


def main() -> int:
    """Run the command; exit 0 when all is well, 1 when something is refused or differs."""
    parser = argparse.ArgumentParser(description="Translate CQL to ELM with the reference translator.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail on any byte that differs")
    parser.add_argument("--cql", type=Path, help="folder of .cql files (default: each src/ankle_cds/content/*/logic)")
    parser.add_argument("--elm", type=Path, help="folder for the ELM (default: elm/ in the CQL folder)")
    options = parser.parse_args()
    used: set[tuple[str, str]] = set()
    try:
        pairs = folders(options)
        problems = [problem for cql, elm in pairs for problem in process(cql, elm, options.check, used)]
    except (TranslationError, ToolError) as error:
        problems = [str(error)]
    else:
        if not options.cql and not problems:
            unused = sorted(set(allowed_warnings()) - used)
            problems = [f"{ALLOWED}: no longer reported, remove it: {library}: {text}" for library, text in unused]
    for problem in problems:
        sys.stderr.write(problem + "\n")
    sys.stdout.write(f"{'checked' if options.check else 'translated'}: {len(problems)} problem(s)\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
