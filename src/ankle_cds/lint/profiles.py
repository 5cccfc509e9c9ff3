"""AC-70: the case features as profiles, with snapshot, expressions, readers and examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.fhir import read_json, read_yaml
from ankle_cds.lint.elements import CPG, extensions, items, tail
from ankle_cds.lint.looking import look, same, thing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.fhir import Resource
    from ankle_cds.lint.built import Built
    from ankle_cds.lint.looking import Look

_EXPRESSIONS = ("featureExpression", "inferenceExpression", "assertionExpression")
_FEATURE_OF = f"{CPG}caseFeatureOf"


def features(built: Built) -> list[Resource]:
    """Give the profiles of case features."""
    return [one for one in built.of_type("StructureDefinition") if one.get("type") != "Extension"]


def ac_70_form(built: Built) -> Iterator[Look]:
    """A feature profile constrains a plain R4 resource type."""
    for one in features(built):
        found = (one.get("kind"), one.get("abstract"), one.get("derivation"))
        yield same(one, "kind", found, ("resource", False, "constraint"))
        base = f"http://hl7.org/fhir/StructureDefinition/{one.get('type')}"
        yield same(one, "baseDefinition", one.get("baseDefinition"), base)


def ac_70_snapshot(built: Built) -> Iterator[Look]:
    """Every profile has a snapshot that holds each element of its differential, constraints included."""
    for one in built.of_type("StructureDefinition"):
        snapshot = {element["id"]: element for element in one.get("snapshot", {}).get("element", [])}
        yield look(one, "snapshot", snapshot, "is missing")
        for index, element in enumerate(one.get("differential", {}).get("element", [])):
            if snapshot:
                whole = snapshot.get(element["id"])
                where = f"differential.element[{index}]"
                kept = whole is not None and all(_kept(whole, name, value) for name, value in element.items())
                yield look(one, where, kept, "stands not in the snapshot, or otherwise")


def _kept(whole: dict[str, Any], name: str, value: Any) -> bool:
    if name == "constraint":
        return {item["key"] for item in value} <= {item["key"] for item in whole.get(name, [])}
    if name in {"id", "path", "min", "max", "short", "mustSupport", "binding"} or name.startswith(("pattern", "fixed")):
        return bool(whole.get(name) == value)
    return name in whole


def ac_70_expressions(built: Built) -> Iterator[Look]:
    """Every feature names its definition in the logic; inferred ones also what infers them."""
    logic = built.url("Library", built.identity["logic"])
    for one in features(built):
        own = extensions(one, f"{CPG}featureExpression")
        yield same(one, "extension", len(own), 1)
        for name in _EXPRESSIONS:
            for value in extensions(one, f"{CPG}{name}"):
                ok = value.get("expression") in built.definitions and value.get("reference") == logic
                yield look(one, "extension", ok, f"{value.get('expression')} is no definition of the logic")
        for value in own:
            yield same(one, "id", one["id"], f"{built.identity['prefix']}{value.get('expression')}")


def ac_70_readers(built: Built) -> Iterator[Look]:
    """Every feature names the recommendations that read it, and each is in the package."""
    for one in features(built):
        readers = extensions(one, _FEATURE_OF)
        shown = [form["id"] for form in built.of_type("Questionnaire") if _asks(form, str(one.get("url")))]
        yield look(one, "extension", readers or shown, "no recommendation reads it and no form asks it")
        for url in readers:
            yield look(one, "extension", url in built.by_url, f"{url} is not in the package")


def _asks(form: Resource, url: str) -> bool:
    return any(str(item.get("definition", "")).startswith(f"{url}#") for item, _ in items(form))


def ac_70_sides(built: Built) -> Iterator[Look]:
    """A feature that an item inside the sided group records demands a body site."""
    for form in built.of_type("Questionnaire"):
        for item, path in items(form):
            if "definition" in item:
                profile = built.by_url.get(str(item["definition"]).partition("#")[0], {})
                elements = {element["path"]: element for element in profile.get("differential", {}).get("element", [])}
                demands = elements.get(f"{profile.get('type')}.bodySite", {}).get("min", 0) >= 1
                sided = str(item.get("linkId")).startswith(built.expected["sidedGroup"])
                yield look(form, path, demands == sided, f"{tail(item['definition'])}: side in form and profile differ")


def ac_70_examples(built: Built) -> Iterator[Look]:
    """Every feature has at least one valid and one invalid example, in the package or beside it."""
    claims: dict[str, set[str]] = {}
    for path, data in {**built.files, **built.archive}.items():
        parts = path.split("/")
        if path.endswith(".json") and any(part in {"example", "examples", "invalid"} for part in parts):
            resource = read_json(data, max_depth=512)
            profiles = resource.get("meta", {}).get("profile", []) if isinstance(resource, dict) else []
            kind = "invalid" if "invalid" in path.lower() else "valid"
            for profile in profiles:
                claims.setdefault(str(profile).partition("|")[0], set()).add(kind)
    for name, kinds in _beside(built).items():
        claims.setdefault(built.url("StructureDefinition", name), set()).update(kinds)
    for one in features(built):
        for kind in ("valid", "invalid"):
            yield look(one, "", kind in claims.get(str(one.get("url")), set()), f"has no {kind} example")


def _beside(built: Built) -> dict[str, set[str]]:
    """Give the kinds of examples that stand in the checkout for a profile: `valid` and `invalid` lists by its name."""
    found = {}
    for path in sorted((built.root / "examples" / "profiles").glob("[A-Z]*.yaml")) if built.root else ():
        data = read_yaml(path).data
        found[path.stem] = {kind for kind in ("valid", "invalid") if data.get(kind)}
    return found


def ac_70_inventory(built: Built) -> Iterator[Look]:
    """Every feature that a form of the specification records has a profile."""
    found = {str(one["id"]) for one in features(built)}
    names = {row["feature"] for form in built.expected["forms"] for row in form["items"] if "feature" in row}
    for name in sorted(names):
        profile = f"{built.identity['prefix']}{name}"
        yield thing(f"StructureDefinition/{profile}", profile in found, "the package has no such profile")
