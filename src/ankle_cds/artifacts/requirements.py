"""What data the logic needs: from retrieves in ELM to data requirements, and to the prefetch inputs of a hook.

The inputs stand in `package.yaml`; which of them a hook asks for is not typed anywhere but follows from what its
recommendations can reach. https://cds-hooks.hl7.org/2.0/#prefetch-template
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.nodes import values_at
from ankle_cds.artifacts.plans import HOOKS, level
from ankle_cds.fhir import split_canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ankle_cds import elm
    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.artifacts.logic import Logic
    from ankle_cds.fhir import Document, Resource

_TEMPLATE = "https://cds-hooks.hl7.org/2.0/#prefetch-template"
_QUERY = "http://hl7.org/fhir/StructureDefinition/cqf-fhirQueryPattern"
_KEY = re.compile(r"[a-z][A-Za-z0-9]{1,31}")
_MAX_TEMPLATE = 1000  # characters; some clients put the query in a url (local policy)
Code = tuple[str, str]
"""System and code."""


@dataclass(frozen=True, slots=True)
class Input:
    """One prefetch key: its query, whether it is required, the hooks that ask for it.

    `codes` are the codes the query returns, None for all of the type; `parameter` is the logic's parameter the service
    fills from it where the logic does not read the resource itself.
    """

    key: str
    resource_type: str
    pattern: str
    need: str
    hooks: tuple[str, ...]
    codes: frozenset[Code] | None
    parameter: str | None
    where: str

    def covers(self, need: Need) -> bool:
        """Tell whether the query returns at least a part of what a retrieve reads."""
        if self.resource_type != need.resource_type:
            return False
        return self.codes is None or need.codes is None or bool(self.codes & need.codes)


@dataclass(frozen=True, slots=True)
class Need:
    """One retrieve of the logic: a type, filtered by the codes of a value set or by codes, or not at all."""

    resource_type: str
    code_property: str | None
    value_set: str | None
    literal: tuple[Code, ...]
    codes: frozenset[Code] | None
    where: str


def needs(
    retrieves: Iterable[elm.Retrieve], members: Mapping[str, frozenset[Code]], logics: Mapping[str, Logic]
) -> tuple[Need, ...]:
    """Turn the engine's retrieves into needs, each once; `members` are the codes of every value set by url."""
    found: dict[tuple[Any, ...], Need] = {}
    for retrieve in retrieves:
        url = split_canonical(retrieve.value_set)[0] if retrieve.value_set else None
        literal = tuple((code.system or "", code.code or "") for code in retrieve.codes or ())
        codes = members.get(url, frozenset()) if url else frozenset(literal) or None
        where = logics[retrieve.library].where(retrieve.locator)
        need = Need(retrieve.resource_type, retrieve.code_property, url, literal, codes, where)
        found.setdefault((retrieve.resource_type, retrieve.code_property, url, literal), need)
    return tuple(found[key] for key in sorted(found, key=str))


def expressions(plan: Resource, resources: Mapping[str, Resource]) -> set[str]:
    """Name every definition a plan can evaluate: its own and those of the plans and activities it leads to."""
    names: set[str] = set()
    seen: set[str] = set()
    waiting = [plan]
    while waiting:
        current = waiting.pop()
        if current["url"] in seen:
            continue
        seen.add(current["url"])
        paths = ("action*.condition.expression.expression", "action*.dynamicValue.expression.expression")
        for path in (*paths, "dynamicValue.expression.expression"):
            names |= {name for name, _ in values_at(current, path) if isinstance(name, str)}
        for target, _ in values_at(current, "action*.definitionCanonical"):
            resource = resources.get(split_canonical(str(target))[0])
            if resource is not None:
                waiting.append(resource)
    return names


def hook_expressions(resources: Mapping[str, Resource]) -> dict[str, set[str]]:
    """For every hook that triggers a recommendation: the definitions its recommendations can evaluate."""
    found: dict[str, set[str]] = {}
    for plan in resources.values():
        if level(plan) == "eca-rule":
            for name, _ in values_at(plan, "action.trigger.name"):
                found.setdefault(str(name), set()).update(expressions(plan, resources))
    return {hook: found[hook] for hook in HOOKS if hook in found}


def read_inputs(
    settings: Document, base: str, members: Mapping[str, frozenset[Code]], findings: Findings
) -> tuple[Input, ...]:
    """Read the `inputs` of package.yaml; `{codes}` in a pattern becomes the full list of the codes named beside it."""
    inputs = []
    for index, row in enumerate(settings.data["inputs"]):
        where = settings.where("inputs", index)
        codes = _codes(row.get("codes"), base, members, where, findings)
        listed = ",".join(f"{system}|{code}" for system, code in sorted(codes or ()))
        pattern = row["pattern"].replace("{codes}", listed)
        if not _KEY.fullmatch(row["key"]):
            findings.refuse(f"The key {row['key']} must be 2 to 32 letters and digits, first a small letter.", where)
        if len(pattern) >= _MAX_TEMPLATE:
            findings.refuse(
                f"The query of {row['key']} has {len(pattern)} characters; keep it below {_MAX_TEMPLATE}.",
                where,
                _TEMPLATE,
            )
        if row.get("need") not in ("required", "optional"):
            findings.refuse(f"`need` of {row['key']} is required or optional.", where)
        inputs.append(
            Input(
                key=row["key"],
                resource_type=row["resourceType"],
                pattern=pattern,
                need=str(row.get("need")),
                hooks=tuple(row.get("hooks", HOOKS)),
                codes=codes,
                parameter=row.get("parameter"),
                where=where,
            )
        )
    return tuple(inputs)


def assign_hooks(
    inputs: tuple[Input, ...],
    reads: Mapping[str, tuple[Need, ...]],
    filled: Mapping[str, frozenset[str]],
    findings: Findings,
) -> tuple[Input, ...]:
    """Narrow each input to the hooks whose recommendations read it.

    `reads` are the needs by hook, `filled` the parameters of the logic each hook reaches. A need that no input
    covers, and an input that nothing reads, are refused.
    """
    assigned = []
    for hook, wanted in reads.items():
        offered = [item for item in inputs if hook in item.hooks]
        for need in wanted:
            _check_covered(need, offered, hook, findings)
    for item in inputs:
        hooks = tuple(
            hook
            for hook in item.hooks
            if hook in reads
            and (any(item.covers(need) for need in reads[hook]) or item.parameter in filled.get(hook, frozenset()))
        )
        if not hooks:
            findings.refuse(f"Nothing reads the input {item.key}; remove it from `inputs`.", item.where, _TEMPLATE)
        assigned.append(replace(item, hooks=hooks))
    return tuple(assigned)


def data_requirements(wanted: tuple[Need, ...], inputs: tuple[Input, ...]) -> list[Resource]:
    """Write needs as DataRequirements, each with the queries that bring its data.

    https://hl7.org/fhir/R4/metadatatypes.html#DataRequirement
    """
    return [_data_requirement(need, inputs) for need in wanted]


def _data_requirement(need: Need, inputs: tuple[Input, ...]) -> Resource:
    requirement: Resource = {}
    queries = dict.fromkeys(item.pattern for item in inputs if item.covers(need))
    if queries:
        requirement["extension"] = [{"url": _QUERY, "valueString": query} for query in queries]
    requirement["type"] = need.resource_type
    requirement["profile"] = [f"http://hl7.org/fhir/StructureDefinition/{need.resource_type}"]
    if need.value_set:
        requirement["codeFilter"] = [{"path": need.code_property or "code", "valueSet": need.value_set}]
    elif need.literal:
        codes = [{"system": system, "code": code} for system, code in need.literal]
        requirement["codeFilter"] = [{"path": need.code_property or "code", "code": codes}]
    return requirement


def _check_covered(need: Need, offered: list[Input], hook: str, findings: Findings) -> None:
    covering = [item for item in offered if item.covers(need)]
    missing = need.codes - _union(covering) if need.codes is not None and covering else set()
    if any(item.codes is None for item in covering):
        missing = set()
    if not covering or missing:
        which = f" {min(missing)[1]}" if missing else ""
        findings.refuse(
            f"At {hook} no input brings the {need.resource_type}{which} that the logic reads; add one to `inputs`.",
            need.where,
            _TEMPLATE,
        )


def _union(inputs: list[Input]) -> frozenset[Code]:
    return frozenset().union(*(item.codes for item in inputs if item.codes is not None))


def _codes(
    names: list[str] | None, base: str, members: Mapping[str, frozenset[Code]], where: str, findings: Findings
) -> frozenset[Code] | None:
    """Read a list of value sets (`ValueSet/Id`) and single codes (`system|code`)."""
    if names is None:
        return None
    return frozenset(_named_codes(names, base, members, where, findings))


def _named_codes(
    names: list[str], base: str, members: Mapping[str, frozenset[Code]], where: str, findings: Findings
) -> Iterator[Code]:
    for name in names:
        system, bar, code = name.partition("|")
        if bar:
            yield system, code
        elif f"{base}/{name}" in members:
            yield from members[f"{base}/{name}"]
        else:
            findings.refuse(f"{name} in `inputs` is no value set of the package; correct it.", where)
