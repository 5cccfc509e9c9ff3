"""The commands about forms: populate fills one with what is recorded, extract records what was answered."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ankle_cds.cli.chart import read_chart, visit
from ankle_cds.cli.usage import UsageError, moment, now
from ankle_cds.fhir import read_json_file, write_json

if TYPE_CHECKING:
    import argparse

    from ankle_cds.cli.usage import Commands
    from ankle_cds.forms import Form


def describe(commands: Commands) -> None:
    """Describe the commands about forms."""
    populate = commands.add_parser("populate", help="fill a form with what is already recorded at a visit")
    populate.add_argument("form", metavar="FORM", help="the id of a Questionnaire, such as PaiExam")
    populate.add_argument("chart", type=Path, metavar="CHART.json", help="a FHIR R4 Bundle of one patient")
    populate.add_argument(
        "--encounter", metavar="ID", help="the visit (default: the only one, or the only one in progress)"
    )
    populate.add_argument("--clock", type=moment, metavar="TIME", help="fill as if it were TIME (default: now)")
    populate.add_argument("--out", type=Path, metavar="FILE", help="file to write the response to (default: print it)")
    populate.set_defaults(command=_populate)

    extract = commands.add_parser("extract", help="turn the response to a form into the Observations the rules read")
    extract.add_argument("response", type=Path, metavar="RESPONSE.json", help="a FHIR R4 QuestionnaireResponse")
    extract.add_argument(
        "--patient",
        type=Path,
        metavar="FILE",
        help="the Patient: decides about questions that depend on age or sex (default: they count as shown)",
    )
    extract.add_argument("--out", type=Path, metavar="FILE", help="file to write the Bundle to (default: print it)")
    extract.set_defaults(command=_extract)


def _populate(options: argparse.Namespace) -> int:
    from ankle_cds import forms  # noqa: PLC0415  # each command loads only what it needs
    from ankle_cds.stories import Ehr  # noqa: PLC0415  # as above

    known = {form.id: form for form in _forms().values()}
    if options.form not in known:
        raise UsageError(f"There is no such form; name one of {', '.join(sorted(known))}.", where=options.form)
    chart = read_chart(options.chart)
    patient, encounter = visit(chart, options)
    form = known[options.form]
    launch = {"patient": patient, "encounter": encounter}
    response = forms.populate(form, launch, Ehr(chart).search, now=options.clock or now())
    _give(response, options.out)
    _say(form, f"answers: {forms.count_answers(response)}")
    return 0


def _extract(options: argparse.Namespace) -> int:
    from ankle_cds import forms  # noqa: PLC0415  # each command loads only what it needs

    response = read_json_file(options.response)
    patient = read_json_file(options.patient) if options.patient else None
    known = _forms()
    extracted = forms.extract(response, known, patient=patient, where=str(options.response))
    _give(extracted.bundle, options.out)
    counts = {
        "observations": extracted.count("PUT"),
        "to take back if recorded earlier": extracted.count("DELETE"),
        "answers left out because the question was hidden": extracted.hidden,
    }
    said = ", ".join(f"{words}: {number}" for words, number in counts.items() if number or words == "observations")
    _say(extracted.form, said)
    return 0


def _forms() -> dict[str, Form]:
    """Give every form of every guideline by its url."""
    from ankle_cds import artifacts, forms  # noqa: PLC0415  # as above

    return {url: form for package in artifacts.load_all().values() for url, form in forms.load(package).items()}


def _give(resource: dict[str, Any], file: Path | None) -> None:
    written = write_json(resource, indent=2) + b"\n"
    if file:
        file.write_bytes(written)
    else:
        sys.stdout.write(written.decode())


def _say(form: Form, text: str) -> None:
    """Say what was done beside the output, so that a pipe gets the resource alone."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"{form.id} {form.version}: {text}")
