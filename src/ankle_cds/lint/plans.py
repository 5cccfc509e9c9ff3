"""AC-20, 21, 26, 28 and 31 to 34: the chain from pathway to activity, prefetch, and the order set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.lint.elements import CPG, CRMI, HL7, PROCESS, actions, codes, extensions, level, tail
from ankle_cds.lint.looking import look, same, thing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.fhir import Resource
    from ankle_cds.lint.built import Built
    from ankle_cds.lint.looking import Look

PATHWAY, STRATEGY, RECOMMENDATION, ORDER_SET = "clinical-protocol", "workflow-definition", "eca-rule", "order-set"
_PLAN_TYPES = "http://terminology.hl7.org/CodeSystem/plan-definition-type"
_BEHAVIORS = ("groupingBehavior", "requiredBehavior", "precheckBehavior", "cardinalityBehavior")
_FORBIDDEN = {
    PATHWAY: {
        "input",
        "output",
        "relatedAction",
        "type",
        "selectionBehavior",
        "transform",
        "dynamicValue",
        *_BEHAVIORS,
    },
    STRATEGY: {"type", "transform", "dynamicValue", *_BEHAVIORS},
}
_NEXT = {PATHWAY: STRATEGY, STRATEGY: RECOMMENDATION}
_CHOICES = {"any", "at-most-one"}
_REQUIREMENTS = "effective-data-requirements"
_QUERY = f"{HL7}cqf-fhirQueryPattern"


def ac_20_type(built: Built) -> Iterator[Look]:
    """The type of a plan is one code of the plan types, and the profile claimed is that of its level."""
    for plan in built.of_type("PlanDefinition"):
        kind = level(plan)
        known = f"PlanDefinition {kind}" in built.expected["profiles"]
        yield look(plan, "type", known, f"{kind} is no level of a guideline")
        yield same(plan, "type", codes(plan.get("type"), _PLAN_TYPES), [kind])
        if known:
            wanted = {
                built.profile(name) for name in built.expected["profiles"][f"PlanDefinition {kind}"]["computable"]
            }
            yield look(plan, "meta.profile", wanted <= set(plan["meta"]["profile"]), f"does not claim {wanted}")


def ac_20_library(built: Built) -> Iterator[Look]:
    """A recommendation names exactly the logic; other plans name it or none."""
    logic = built.url("Library", built.identity["logic"])
    for plan in built.of_type("PlanDefinition"):
        allowed = [[logic]] if level(plan) == RECOMMENDATION else [[], [logic]]
        yield look(plan, "library", plan.get("library", []) in allowed, "names another library, or not exactly one")


def ac_21_forbidden(built: Built) -> Iterator[Look]:
    """The actions of pathway and strategies hold nothing that CPG forbids there, at any depth."""
    for plan in (*built.plans(PATHWAY), *built.plans(STRATEGY)):
        for action, path in actions(plan):
            held = sorted(_FORBIDDEN[level(plan)] & action.keys())
            yield look(plan, path, not held, f"may not have {', '.join(held)}")


def ac_21_described(built: Built) -> Iterator[Look]:
    """Each of their actions has title, description and the Common Process code of the specification."""
    rows = built.expected["strategies"]
    processes = {row["id"]: row["process"] for row in rows}
    processes |= {row["id"]: row["process"] for row in built.expected["recommendations"]}
    for plan in (*built.plans(PATHWAY), *built.plans(STRATEGY)):
        for action, path in actions(plan):
            ok = bool(action.get("title")) and bool(action.get("description"))
            yield look(plan, path, ok, "title or description is missing")
            found = [code for concept in action.get("code", []) for code in codes(concept, PROCESS)]
            yield same(plan, f"{path}.code", found, [processes.get(tail(action.get("definitionCanonical", "")))])


def ac_21_next_level(built: Built) -> Iterator[Look]:
    """Each of their actions leads to a plan of the next level."""
    for plan in (*built.plans(PATHWAY), *built.plans(STRATEGY)):
        for action, path in actions(plan):
            target = built.by_url.get(str(action.get("definitionCanonical")).partition("|")[0], {})
            where = f"{path}.definitionCanonical"
            yield same(plan, where, level(target), _NEXT[level(plan)])


def ac_26_inventory(built: Built) -> Iterator[Look]:
    """The package has exactly the pathway, strategies, recommendations and order set of the specification."""
    expected = built.expected
    for code, wanted in (
        (PATHWAY, [expected["pathway"]["id"]]),
        (STRATEGY, [row["id"] for row in expected["strategies"]]),
        (RECOMMENDATION, [row["id"] for row in expected["recommendations"]]),
        (ORDER_SET, [expected["orderSet"]]),
    ):
        found = {str(plan["id"]) for plan in built.plans(code)}
        for name in wanted:
            yield thing(f"PlanDefinition/{name}", name in found, f"the package has no {code} of this name")
        for name in sorted(found - set(wanted)):
            yield thing(f"PlanDefinition/{name}", ok=False, problem=f"the specification has no {code} of this name")


def ac_26_chain(built: Built) -> Iterator[Look]:
    """The pathway lists the strategies in order, each strategy its recommendations; each says what it is part of."""
    listed = {row["id"]: row["recommendations"] for row in built.expected["strategies"]}
    pathway = built.get("PlanDefinition", built.expected["pathway"]["id"]) or {}
    yield same(pathway, "action", _targets(pathway), list(listed))
    for row in built.expected["strategies"]:
        strategy = built.get("PlanDefinition", row["id"])
        if strategy is None:
            yield thing(f"PlanDefinition/{row['id']}", ok=False, problem="is missing")
            continue
        yield same(strategy, "action", set(_targets(strategy)), set(row["recommendations"]))
        yield same(strategy, "extension", extensions(strategy, f"{CPG}partOf"), [pathway.get("url")])
    parents = {name: strategy for strategy, names in listed.items() for name in names}
    for plan in built.plans(RECOMMENDATION):
        parent = built.url("PlanDefinition", parents.get(str(plan["id"]), "?"))
        yield same(plan, "extension", extensions(plan, f"{CPG}partOf"), [parent])


def ac_26_no_cycle(built: Built) -> Iterator[Look]:
    """No plan leads back to itself."""
    for plan in built.of_type("PlanDefinition"):
        seen: set[str] = set()
        waiting = _targets(plan)
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += _targets(built.get("PlanDefinition", name) or {})
        yield look(plan, "action", plan["id"] not in seen, "leads back to itself")


def ac_28_choices(built: Built) -> Iterator[Look]:
    """An action with children says how many may be chosen; in a recommendation any or at most one, of a removal all."""
    for plan in built.of_type("PlanDefinition"):
        for action, path in actions(plan):
            if action.get("action"):
                found = action.get("selectionBehavior")
                removes = any("remove" in str(part.get("type")) for part in action["action"])
                allowed = (*_CHOICES, "all") if removes else _CHOICES
                ok = found in allowed if level(plan) == RECOMMENDATION else bool(found)
                yield look(plan, f"{path}.selectionBehavior", ok, f"is {found}")


def ac_31_endpoint(built: Built) -> Iterator[Look]:
    """The pathway, and no other plan, names the CDS Hooks endpoint of the service."""
    for plan in built.of_type("PlanDefinition"):
        found = extensions(plan, f"{HL7}cqf-cdsHooksEndpoint")
        if level(plan) == PATHWAY:
            tails = [str(url).endswith(f"/cds-services/{built.identity['service']}") for url in found]
            yield same(plan, "extension", tails, [True])
        else:
            yield look(plan, "extension", not found, "names an endpoint; only the pathway does")


def ac_32_features(built: Built) -> Iterator[Look]:
    """What a recommendation reads and shows are case features of the package."""
    for plan in built.of_type("PlanDefinition"):
        for action, path in actions(plan):
            for part in ("input", "output"):
                for index, requirement in enumerate(action.get(part, [])):
                    profiles = [built.by_url.get(str(url)) for url in requirement.get("profile", [])]
                    ok = bool(profiles) and all(one is not None and _is_feature(one) for one in profiles)
                    yield look(plan, f"{path}.{part}[{index}]", ok, "names no case feature of the package")


def ac_32_requirements(built: Built) -> Iterator[Look]:
    """Pathway, strategies and recommendations contain their effective data requirements."""
    for plan in built.of_type("PlanDefinition"):
        if level(plan) == ORDER_SET:
            continue
        named = extensions(plan, f"{CRMI}effectiveDataRequirements")
        yield same(plan, "extension", named, [f"#{_REQUIREMENTS}"])
        yield look(plan, "contained", _requirements(plan), "contains no effective data requirements")


def ac_33_templates(built: Built) -> Iterator[Look]:
    """The prefetch templates of a hook bring what its recommendations need, and are derived from nothing else."""
    for entry in built.discovery:
        hook, templates = entry["hook"], set(entry.get("prefetch", {}).values())
        plans = [plan for plan in built.plans(RECOMMENDATION) if hook in _hooks(plan)]
        for plan in plans:
            for index, requirement in enumerate(_requirements(plan)):
                queries = set(map(str, extensions(requirement, _QUERY)))
                met = bool(queries & templates)
                where = f"contained.dataRequirement[{index}]"
                yield look(plan, where, met, f"{requirement.get('type')}: no template of {hook} brings it")
        known = {query for plan in plans for part in _requirements(plan) for query in extensions(part, _QUERY)}
        filled = {key for key, query in entry.get("prefetch", {}).items() if query not in known}
        parameters = {str(key) for key in built.expected["prefetchParameters"]}
        yield thing(f"discovery.{hook}", filled <= parameters, f"{filled - parameters}: no recommendation needs it")


def ac_34_order_set(built: Built) -> Iterator[Look]:
    """The order set has the five behaviours of the specification."""
    plan = built.get("PlanDefinition", built.expected["orderSet"]) or {}
    for action in plan.get("action", [{}]):
        for name, value in built.expected["orderSetBehaviors"].items():
            yield same(plan, f"action[0].{name}", action.get(name), value)


def ac_34_children(built: Built) -> Iterator[Look]:
    """Its children stand in order, and what may never be preselected is not."""
    plan = built.get("PlanDefinition", built.expected["orderSet"]) or {}
    children = [child for action in plan.get("action", []) for child in action.get("action", [])]
    rows = built.expected["orderSetChildren"]
    yield same(plan, "action[0].action", [tail(c.get("definitionCanonical", "")) for c in children], _column(rows))
    for index, (child, row) in enumerate(zip(children, rows, strict=False)):
        where = f"action[0].action[{index}]"
        yield same(plan, f"{where}.precheckBehavior", child.get("precheckBehavior"), row["precheck"])
        ending = str(row.get("titleEnds", ""))
        yield look(plan, f"{where}.title", str(child.get("title", "")).endswith(ending), f"does not end in {ending}")


def _column(rows: list[Any]) -> list[str]:
    return [row["activity"] for row in rows]


def _targets(plan: Resource) -> list[str]:
    return [tail(action["definitionCanonical"]) for action, _ in actions(plan) if "definitionCanonical" in action]


def _hooks(plan: Resource) -> list[str]:
    return [str(trigger.get("name")) for action in plan.get("action", []) for trigger in action.get("trigger", [])]


def _requirements(plan: Resource) -> list[dict[str, Any]]:
    contained = [part for part in plan.get("contained", []) if part.get("id") == _REQUIREMENTS]
    return [requirement for part in contained for requirement in part.get("dataRequirement", [])]


def _is_feature(resource: Resource) -> bool:
    kind = resource.get("resourceType") == "StructureDefinition"
    return kind and bool(extensions(resource, f"{CPG}featureExpression"))
