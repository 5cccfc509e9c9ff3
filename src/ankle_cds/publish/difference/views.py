"""An artifact as it is compared: what every build renews is masked, what is generated from the rest is one element.

always renewed   version and date of the package wherever they stand, the moment and identifier of an expansion
one element      narrative, snapshot, ELM, dependencies, effective data requirements: they follow from what is
                 compared element by element, and differ alone only where another software built the package
opened           the members of a value set, and each definition and parameter of the logic as it is executed
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from ankle_cds.errors import ContentError, RequestError
from ankle_cds.fhir import canonical_json, read_json, split_canonical
from ankle_cds.publish.difference.elements import Named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.fhir import Resource
    from ankle_cds.publish.difference.reading import Edition

VERSION, DATE = "(version)", "(date)"
_DEPTH = 512
_LISTED = {"depends-on", "composed-of"}
_LIFE = ("draft", "active", "retired")
_LOGIC = "Library/logic-library"
_PARTS = ("usings", "includes", "codeSystems", "valueSets", "codes", "concepts", "parameters", "statements")
_SAYS_NOTHING = {"locator", "localId", "annotation", "signature", "resultTypeName", "resultTypeSpecifier"}


def kind(resource: Resource, edition: Edition) -> str:
    """Name what the rules of the step go by: the type, for plans their level, for sets whether the logic reads them."""
    name = str(resource["resourceType"])
    if name == "ValueSet":
        return f"{name}/{'read' if resource['url'] in _read_by_logic(edition) else 'offered'}"
    if name in {"PlanDefinition", "Library"}:
        codings: list[Resource] = resource.get("type", {}).get("coding", [])
        return f"{name}/{codings[0].get('code') if codings else None}"
    return name


def view(resource: Resource, edition: Edition, *, status: bool) -> dict[str, Any]:
    """Give an artifact as it is compared, with or without its status.

    Raises ContentError where the logic it carries cannot be read.
    """
    seen: dict[str, Any] = _masked({name: one for name, one in resource.items() if name != "version"}, edition)
    seen["date"] = DATE  # that of the package, or left behind by it: either way no change of what is said
    held = seen.get("status") if status else seen.pop("status", None)
    seen["contained"] = [
        {name: one for name, one in each.items() if (name, one) != ("status", held)}
        for each in seen.get("contained", [])
    ]
    for part in ("text", "snapshot"):
        if part in seen:
            seen[part] = canonical_json(seen[part]).decode()
    related = seen.pop("relatedArtifact", [])
    seen["relatedArtifact"] = [one for one in related if one.get("type") not in _LISTED]
    seen["dependencies"] = [one for one in related if one.get("type") in _LISTED]
    if resource["resourceType"] == "ValueSet":
        _open_members(seen)
    elif resource["resourceType"] == "Library":
        _open_logic(seen, edition, f"Library/{resource['id']}")
    return seen


def goes_on(old: Resource, new: Resource) -> bool:
    """Tell whether the status went as a life goes: draft, active, retired; a new version begins where it likes."""
    was, now = old.get("status"), new.get("status")
    if old["version"] != new["version"]:
        return True
    return was in _LIFE and now in _LIFE and _LIFE.index(str(was)) <= _LIFE.index(str(now))


def _read_by_logic(edition: Edition) -> set[str]:
    return {
        split_canonical(str(item.get("resource")))[0]
        for one in edition.artifacts.values()
        if one["resourceType"] == "Library" and kind(one, edition) == _LOGIC
        for item in one.get("relatedArtifact", [])
        if item.get("type") == "depends-on"
    }


def _masked(value: Any, edition: Edition) -> Any:
    """Mask the version and the date of the package wherever they stand as a value, and in generated narrative."""
    if isinstance(value, dict):
        return {name: _masked(one, edition) for name, one in value.items()}
    if isinstance(value, list):
        return [_masked(one, edition) for one in value]
    return _masked_text(value, edition) if isinstance(value, str) else value


def _masked_text(text: str, edition: Edition) -> str:
    if text in {edition.version, edition.date}:
        return VERSION if text == edition.version else DATE
    if text.startswith("<div"):
        return text.replace(edition.version, VERSION).replace(edition.date, DATE)
    pinned = f"|{edition.version}"
    return f"{text.removesuffix(pinned)}|{VERSION}" if text.endswith(pinned) else text


def _open_members(seen: dict[str, Any]) -> None:
    """Put the members in place of the expansion; they come from it, or where there is none from the codes listed."""
    expansion = seen.pop("expansion", {})
    rows = [row for part in seen.get("compose", {}).get("include", []) for row in _listed(part)]
    if "contains" in expansion:
        rows = [(one.get("system"), one) for one in _flat(expansion["contains"])]
    seen["member"] = Named({f"{system}|{one['code']}": one.get("display") for system, one in rows if "code" in one})
    renewed = {"identifier", "timestamp", "total", "contains"}
    seen["expansion"] = {name: one for name, one in expansion.items() if name not in renewed}


def _listed(part: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    return ((part.get("system"), one) for one in part.get("concept", []))


def _flat(contains: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in contains:
        if not one.get("abstract"):
            yield one
        yield from _flat(one.get("contains", []))


def _open_logic(seen: dict[str, Any], edition: Edition, where: str) -> None:
    """Put what is executed in place of the encoded ELM: each definition by its name, without the place it stands at."""
    for part in seen.pop("content", []):
        try:
            data = base64.b64decode(str(part.get("data", "")), validate=True)
            text = data.decode()
            executed = read_json(data, max_depth=_DEPTH) if "elm" in str(part.get("contentType")) else None
        except (binascii.Error, UnicodeDecodeError, RequestError):
            raise ContentError(
                "The logic cannot be decoded; build the package again.", where=f"{where}.content"
            ) from None
        if executed is None:
            seen[str(part.get("contentType"))] = text.replace(f"'{edition.version}'", VERSION)
        else:
            library = _masked(executed.get("library", executed), edition)
            seen["translation"] = canonical_json(library).decode()
            seen |= {name: _definitions(library.get(name, {}).get("def", [])) for name in _PARTS}


def _definitions(nodes: list[dict[str, Any]]) -> Named:
    """Give each definition by its name, a function also by the types it takes; an expression is one text."""
    found = Named()
    for node in nodes:
        name = str(node.get("name") or node.get("localIdentifier"))
        if "operand" in node:
            name += f"({', '.join(_type(one.get('operandTypeSpecifier', {})) for one in node['operand'])})"
        bare = _bare(node)
        whole = canonical_json(bare).decode() if "expression" in bare else bare
        found[f"{name} {len(found)}" if name in found else name] = whole
    return found


def _type(specifier: dict[str, Any]) -> str:
    inner = specifier.get("elementType") or specifier.get("pointType")
    if inner:
        return f"{str(specifier.get('type')).removesuffix('TypeSpecifier')}<{_type(inner)}>"
    return str(specifier.get("name") or specifier.get("type")).rpartition("}")[2]


def _bare(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _bare(one) for name, one in node.items() if name not in _SAYS_NOTHING}
    if isinstance(node, list):
        return [_bare(one) for one in node]
    return node
