"""From a chart in a file to the hook request an EHR would post for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.errors import AnkleCdsError
from ankle_cds.fhir import bundle_entries, read_json_file, reference

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from ankle_cds.artifacts import Package
    from ankle_cds.fhir import Resource


def offering(packages: dict[str, Package], hook: str) -> Package:
    """Give the guideline that answers a hook; raises AnkleCdsError where there is none."""
    from ankle_cds.service import offered_hooks  # noqa: PLC0415  # each command loads only what it needs

    for package in packages.values():
        if hook in offered_hooks(package):
            return package
    known = sorted({name for package in packages.values() for name in offered_hooks(package)})
    raise AnkleCdsError(f"No guideline answers this hook; use one of {', '.join(known)}.", where=hook)


def hook_request(chart: Any, options: argparse.Namespace, templates: dict[str, str]) -> dict[str, Any]:
    """Make the hook request an EHR would post for the chart, opened by a practitioner.

    Raises AnkleCdsError where it is not clear which patient, encounter or drafts are meant.
    """
    from ankle_cds.stories import Ehr  # noqa: PLC0415  # as above

    patients, encounters = _meant(chart, options)
    orders = _draft_orders(options)
    patient = _only(patients, "Patient", options.chart)
    context = {"userId": "Practitioner/reader", "patientId": str(patient.get("id")), **orders}
    if encounters or options.encounter or not orders:  # an order may be written outside a visit
        context["encounterId"] = str(_only(encounters, "Encounter", options.chart).get("id"))
    return {
        "hook": options.hook,
        "hookInstance": "00000000-0000-4000-8000-000000000000",
        "context": context,
        "prefetch": Ehr(chart).prefetch(templates, context),
    }


def read_chart(path: Path) -> Resource:
    """Read the chart of one patient; raises AnkleCdsError where the file is no Bundle."""
    chart = read_json_file(path)
    if not isinstance(chart, dict) or chart.get("resourceType") != "Bundle":
        raise AnkleCdsError("This is no chart; give a FHIR R4 Bundle of one patient.", where=str(path))
    return chart


def visit(chart: Any, options: argparse.Namespace) -> tuple[Resource, Resource]:
    """Give patient and encounter of the visit that is meant; raises AnkleCdsError where that is not clear."""
    patients, encounters = _meant(chart, options)
    return _only(patients, "Patient", options.chart), _only(encounters, "Encounter", options.chart)


def _meant(chart: Any, options: argparse.Namespace) -> tuple[list[Resource], list[Resource]]:
    resources = [entry.resource for entry in bundle_entries(chart) if entry.resource is not None]
    patients = [one for one in resources if one.get("resourceType") == "Patient"]
    encounters = [one for one in resources if one.get("resourceType") == "Encounter"]
    if options.encounter:
        encounters = [one for one in encounters if options.encounter in {one.get("id"), reference(one)}]
    elif len(encounters) > 1:
        encounters = [one for one in encounters if one.get("status") == "in-progress"]
    return patients, encounters


def _draft_orders(options: argparse.Namespace) -> dict[str, Any]:
    """Give the part of the context that holds draft orders, all of them to be judged; nothing at other hooks."""
    from ankle_cds.hooks import HOOKS  # noqa: PLC0415  # as above

    if HOOKS[options.hook].is_about_orders != (options.draft is not None):
        advice = "Name them with --draft." if options.draft is None else "Leave --draft out, or choose another --hook."
        raise AnkleCdsError(f"Draft orders belong to a hook that asks about orders. {advice}", where=options.hook)
    if options.draft is None:
        return {}
    orders = read_json_file(options.draft)
    if isinstance(orders, dict) and orders.get("resourceType") != "Bundle":
        orders = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": orders}]}
    return {"draftOrders": orders}


def _only(found: list[Resource], kind: str, chart: Path) -> Resource:
    if len(found) != 1:
        advice = "Name it with --encounter." if kind == "Encounter" else "Put one patient into one chart."
        raise AnkleCdsError(
            f"One {kind} is needed, and the chart holds {len(found)} that could be meant. {advice}", where=str(chart)
        )
    return found[0]
