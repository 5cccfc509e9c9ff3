"""AC-01 to AC-09: who an artifact is, whose it is, and how long it holds."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any

from ankle_cds.lint.check_digits import namespace
from ankle_cds.lint.elements import HL7, codes, extensions, level, members, shared, tail, walk
from ankle_cds.lint.looking import look, same, thing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.fhir import Resource
    from ankle_cds.lint.built import Built
    from ankle_cds.lint.looking import Look

_PASCAL = re.compile(r"[A-Z][A-Za-z0-9]*")
_KEBAB = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)+")
_LEVELS = ("shareable", "publishable", "computable", "executable")
_QUESTIONNAIRE_ALGORITHM = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Questionnaire.versionAlgorithm[x]"


def ac_01_id(built: Built) -> Iterator[Look]:
    """The id is the last segment of the url, and follows the naming rule of its type."""
    prefix = built.identity["prefix"]
    others = set(built.identity["namedOtherwise"])
    for one in built.resources:
        name = str(one.get("id"))
        yield same(one, "url", tail(str(one.get("url"))), name)
        pascal = bool(_PASCAL.fullmatch(name)) and (name.startswith(prefix) or name in others)
        kebab = bool(_KEBAB.fullmatch(name)) and name.startswith(f"{prefix.lower()}-")
        if one.get("resourceType") == "ImplementationGuide":
            yield same(one, "id", name, built.identity["packageId"])
        else:
            yield look(one, "id", pascal or kebab, f"{name} is neither PascalCase nor kebab-case with our prefix")


def ac_01_name(built: Built) -> Iterator[Look]:
    """The name is the id where both are one word, else PascalCase; that of a Library is its CQL library name."""
    for one in built.resources:
        name = str(one.get("name"))
        if one.get("resourceType") in built.identity["sameNameTypes"] and _PASCAL.fullmatch(str(one.get("id"))):
            yield same(one, "name", name, one.get("id"))
        else:
            yield look(one, "name", _PASCAL.fullmatch(name), f"{name} is not PascalCase")
    for name, library in built.elm.items():
        yield thing(f"Library/{name}.content", library["identifier"]["id"] == name, "the ELM is of another library")


def ac_01_unique(built: Built) -> Iterator[Look]:
    """No two artifacts of a type have the same id or name."""
    seen = Counter((one.get("resourceType"), part, one.get(part)) for one in built.resources for part in ("id", "name"))
    for one in built.resources:
        for part in ("id", "name"):
            yield look(one, part, seen[one.get("resourceType"), part, one.get(part)] == 1, f"the {part} stands twice")


def ac_02_url(built: Built) -> Iterator[Look]:
    """The url begins with our canonical base and names the resource type."""
    for one in built.resources:
        start = f"{built.identity['canonicalBase']}/{one.get('resourceType')}/"
        yield look(one, "url", str(one.get("url")).startswith(start), f"{one.get('url')} does not begin with {start}")


def ac_03_version(built: Built) -> Iterator[Look]:
    """Every version is that of the package, and is declared to be semver; a form says so twice."""
    versions = Counter(str(one.get("version")) for one in built.resources)
    package = versions.most_common(1)[0][0] if versions else ""
    for one in built.resources:
        yield same(one, "version", one.get("version"), package)
        semver = [value.get("code") for value in extensions(one, f"{HL7}artifact-versionAlgorithm")]
        yield same(one, "extension", semver, ["semver"])
        if one.get("resourceType") == "Questionnaire":
            again = [value.get("code") for value in extensions(one, _QUESTIONNAIRE_ALGORITHM)]
            yield same(one, "extension", again, ["semver"])


def ac_04_described(built: Built) -> Iterator[Look]:
    """Title, description, publisher, contact, date, copyright, copyright label, purpose and usage are given."""
    for one in built.resources:
        for element in ("title", "description", "publisher", "contact", "date", "copyright"):
            yield look(one, element, one.get(element), f"{element} is missing")
        yield look(one, "purpose", one.get("purpose") or _lacks_purpose(one), "purpose is missing")
        for element, substitute in (("copyrightLabel", "artifact-copyrightLabel"), ("usage", "artifact-usage")):
            needed = element != "usage" or one.get("resourceType") not in _WITHOUT_USAGE
            yield look(one, element, shared(one, element, substitute) or not needed, f"{element} is missing")


# FHIR R4 gives no purpose to an ImplementationGuide; `usage` has an element or a substitute in these types only:
# PlanDefinition, Library, Measure, ActivityDefinition, Questionnaire, StructureDefinition.
_WITHOUT_USAGE = frozenset({"ValueSet", "CodeSystem", "ConceptMap", "ImplementationGuide"})


def _lacks_purpose(one: Resource) -> bool:
    return one.get("resourceType") == "ImplementationGuide"


def ac_04_title(built: Built) -> Iterator[Look]:
    """No two artifacts have the same title."""
    titles = Counter(str(one.get("title")) for one in built.resources)
    for one in built.resources:
        yield look(one, "title", titles[str(one.get("title"))] == 1, "another artifact has this title")


def ac_05_profiles(built: Built) -> Iterator[Look]:
    """The profiles claimed are exactly those of the type, and the capability levels are theirs."""
    for one in built.resources:
        wanted = _wanted(built, one)
        profiles = {built.profile(name) for names in wanted.values() for name in names}
        claimed = set(one.get("meta", {}).get("profile", []))
        if one.get("resourceType") == "Questionnaire":  # those of the forms standard are asked about in AC-81
            claimed = {profile for profile in claimed if not profile.startswith(built.expected["bases"]["SDC"])}
        yield same(one, "meta.profile", claimed, profiles)
        levels = set(map(str, extensions(one, f"{HL7}cqf-knowledgeCapability")))
        yield same(one, "extension", levels, {name for name in wanted if name in _LEVELS})


def _wanted(built: Built, one: Resource) -> dict[str, list[str]]:
    """Give the profiles of a resource by capability level, from the rows of its type and of what it is."""
    kind = str(one.get("resourceType"))
    rows = [kind]
    if kind == "PlanDefinition":
        rows.append(f"{kind} {level(one)}")
    if kind == "Library":
        rows.append(f"{kind} {'logic' if one.get('content') else 'manifest'}")
    if kind == "StructureDefinition":
        rows.append(f"{kind} {'' if one.get('type') == 'Extension' else one.get('kind')}")
    wanted: dict[str, list[str]] = {}
    for row in rows:
        for name, profiles in built.expected["profiles"].get(row, {}).items():
            wanted.setdefault(name, []).extend(profiles)
    for row in built.expected["activityKinds"] if kind == "ActivityDefinition" else ():
        if row.get("claims") and row["kind"] == one.get("kind") and row["type"] in codes(one.get("code")):
            wanted.setdefault("computable", []).append(row["claims"])
    return wanted


def ac_06_urls(built: Built) -> Iterator[Look]:
    """No url that was moved, retired or never published is used."""
    forbidden = tuple(built.expected["forbiddenUrls"])
    for one in built.resources:
        used = [(text, path) for text, path in _urls(one) if text.startswith(forbidden)]
        yield look(one, used[0][1] if used else "", not used, f"uses {used[0][0] if used else ''}")


def _urls(one: Resource) -> Iterator[tuple[str, str]]:
    for node, path in walk(one):
        for name, value in node.items():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and text.startswith("http"):
                    yield text, f"{path}.{name}".lstrip(".")


def ac_07_status(built: Built) -> Iterator[Look]:
    """A build is draft everywhere, a release active everywhere."""
    for status, resources in (("draft", built.resources), ("active", built.release)):
        for one in resources:
            yield same(one, "status", one.get("status"), status)
            for index, part in enumerate(one.get("contained", [])):
                if "status" in part and part.get("resourceType") == "Library":
                    yield same(one, f"contained[{index}].status", part["status"], status)
    yield thing("release build", len(built.release) == len(built.resources), "holds other artifacts than the build")


def ac_07_signed(built: Built) -> Iterator[Look]:
    """Experimental and unapproved, or approved by a named reviewer and not experimental."""
    for one in (*built.resources, *built.release):
        approved = bool(shared(one, "approvalDate", "resource-approvalDate"))
        reviewed = bool(shared(one, "reviewer", "artifact-reviewer"))
        ok = (not approved) if one.get("experimental") is True else (approved and reviewed)
        ok = ok and isinstance(one.get("experimental"), bool)
        yield look(one, "experimental", ok, "experimental, approvalDate and reviewer do not fit together")


def ac_08_dates(built: Built) -> Iterator[Look]:
    """The last review is that of the source article, and the effective period begins before it ends."""
    for one in built.resources:
        review = shared(one, "lastReviewDate", "resource-lastReviewDate")
        yield same(one, "lastReviewDate", review, [built.identity["lastReviewDate"]])
        period: dict[str, Any] = next(iter(shared(one, "effectivePeriod", "resource-effectivePeriod")), {})
        ok = bool(period.get("start")) and bool(period.get("end")) and period["start"] <= period["end"]
        yield look(one, "effectivePeriod", ok, "effectivePeriod is missing, open, or ends before it starts")


def ac_08_expiry_notice(built: Built) -> Iterator[Look]:
    """The content is not past its review date; from 90 days before, a notice is due."""
    for one in built.of_type("PlanDefinition"):
        period: dict[str, Any] = next(iter(shared(one, "effectivePeriod", "resource-effectivePeriod")), {})
        end = str(period.get("end", ""))
        late = not end or date.fromisoformat(end) < built.today
        yield look(one, "effectivePeriod.end", not late, f"the content was to be reviewed by {end or 'no date'}")


def ac_09_context(built: Built) -> Iterator[Look]:
    """The focus is the condition and the jurisdiction that of the codes: a set of national codes has its own."""
    focus, country = built.identity["focus"], built.identity["jurisdiction"]
    for one in built.resources:
        found = [
            (coding.get("system"), coding.get("code"))
            for context in one.get("useContext", [])
            if context.get("code", {}).get("code") == "focus"
            for coding in context.get("valueCodeableConcept", {}).get("coding", [])
        ]
        yield same(one, "useContext", found, [(focus["system"], focus["code"])])
        places = [code for part in one.get("jurisdiction", []) for code in codes(part, country["system"])]
        national = {built.expected["nationalNamespaces"].get(namespace(code)) for _, code, _ in members(one)} - {None}
        wanted = national or {country["code"]}
        yield look(one, "jurisdiction", wanted <= set(places), f"{sorted(wanted - set(places))} is missing")


def ac_09_author(built: Built) -> Iterator[Look]:
    """The author is told by role and is a person nowhere: the source names none."""
    for one in built.resources:
        if one.get("resourceType") == "ImplementationGuide":
            continue  # has neither the element nor the substitute in R4
        authors = shared(one, "author", "artifact-author")
        ok = bool(authors) and all(built.identity["authorRole"] in str(author.get("name")) for author in authors)
        yield look(one, "author", ok, "the author is missing or is not the role of the source")
        personal = [author for author in authors if author.get("telecom")]
        yield look(one, "author", not personal, "the author has an address: the source gives none")
