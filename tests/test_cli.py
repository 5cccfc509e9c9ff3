"""The command line: what a stranger types, what is printed, and what the exit code means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ankle_cds import cli
from order_guideline import order_guideline

DANCER = (
    Path(__file__).parent.parent / "examples/posterior-ankle-impingement/dancer-first-visit-pattern-fits/chart.json"
)
CLOCK = ["--clock", "2026-05-14T09:30:00-07:00"]


def test_explain_says_which_recommendations_apply_and_the_records_behind_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The JSON names every recommendation, true, false or null, and the resources behind the ones that apply."""
    assert cli.main(["explain", str(DANCER), *CLOCK, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    applies = {entry["id"]: entry["applies"] for entry in found["recommendations"]}
    assert applies == {
        "PaiRedFlagEmergency": False,
        "PaiUrgentWorkup": False,
        "PaiRecordAssessment": False,
        "PaiOrderLateralRadiograph": True,
        "PaiOrderAdvancedImaging": False,
        "PaiMatchImagingToExam": False,
        "PaiConsiderInjection": False,
        "PaiStartConservativeCare": True,
        "PaiReferForSurgery": False,
        "PaiReassessOutcome": False,
        "PaiPostoperativeRecovery": False,
    }
    assert "Observation/ellison-forced-plantarflexion-test" in json.dumps(found["recommendations"])


def test_explain_draws_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json the same is drawn in words."""
    assert cli.main(["explain", str(DANCER), *CLOCK]) == 0
    drawn = capsys.readouterr().out
    assert "Applies (2)" in drawn
    assert "Pattern fits" in drawn


def test_a_site_parameter_changes_the_explanation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The five-minute path of the contributor's guide: a threshold in one file."""
    config = tmp_path / "site.yaml"
    config.write_text("parameters:\n  AdultAge: 25\n", "utf-8")
    assert cli.main(["explain", str(DANCER), *CLOCK, "--config", str(config), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["recommendations"]
    (care,) = [entry for entry in found if entry["id"] == "PaiStartConservativeCare"]
    offered = {offer["expression"]: offer["value"] for offer in care["offers"]}
    assert offered["OfferOralNsaid"] is False


def test_a_bad_site_parameter_is_refused_with_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Content and configuration mistakes exit with 2 and name the place."""
    config = tmp_path / "site.yaml"
    config.write_text("parameters:\n  AdultAge: old\n", "utf-8")
    assert cli.main(["explain", str(DANCER), *CLOCK, "--config", str(config)]) == 2
    said = capsys.readouterr().err
    assert "AdultAge must be a whole number" in said
    assert f"{config}:2" in said


@pytest.mark.parametrize("line", [["explode"], ["serve", "--clock", "today"], ["build"], []])
def test_a_wrong_command_line_exits_with_64(line: list[str]) -> None:
    """2 is kept for wrong content; a mistyped command is another thing."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(line)
    assert stopped.value.code == cli.USAGE


def test_production_does_not_start_by_accident(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --dev and without a word about authentication nothing is served."""
    assert cli.main(["serve"]) == 2
    assert "clients is empty" in capsys.readouterr().err


def test_a_fixed_clock_is_for_development(capsys: pytest.CaptureFixture[str]) -> None:
    """A service for patients never runs in another time."""
    assert cli.main(["serve", *CLOCK]) == 1
    assert "--dev" in capsys.readouterr().err


def test_a_chart_of_two_patients_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Explain never picks a patient by chance."""
    chart = json.loads(DANCER.read_text("utf-8"))
    chart["entry"].append({"resource": {"resourceType": "Patient", "id": "other"}})
    other = tmp_path / "chart.json"
    other.write_text(json.dumps(chart), "utf-8")
    assert cli.main(["explain", str(other), *CLOCK]) == 1
    assert "One Patient is needed" in capsys.readouterr().err


def chart_and_draft(folder: Path) -> tuple[str, str]:
    """Write a chart without a visit, and one order; a Bundle of orders is read as well."""
    subject = {"reference": "Patient/p1"}
    record = [{"resourceType": "Patient", "id": "p1"}, {"resourceType": "Condition", "id": "c1", "subject": subject}]
    order = {"resourceType": "MedicationRequest", "id": "m1", "code": {"text": "risky"}, "reasonCode": [{"text": "x"}]}
    chart, draft = folder / "chart.json", folder / "drafts.json"
    entries = [{"resource": one} for one in record]
    chart.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}), "utf-8")
    draft.write_text(json.dumps(order), "utf-8")
    return str(chart), str(draft)


def test_explain_judges_a_draft_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order hook takes the orders beside the chart, and needs no visit where the order says what it is for."""
    monkeypatch.setattr("ankle_cds.artifacts.load_all", lambda: {"small": order_guideline()})
    chart, draft = chart_and_draft(tmp_path)
    assert cli.main(["explain", chart, "--hook", "order-sign", "--draft", draft, *CLOCK, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [entry["id"] for entry in found["recommendations"] if entry["applies"]] == ["Drugs"]
    assert len(found["cards"]) == 1


@pytest.mark.parametrize("hook", ["order-sign", "encounter-start"])
def test_explain_refuses_drafts_that_do_not_fit_the_hook(
    hook: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders are neither forgotten nor sent to a hook that does not ask about them."""
    monkeypatch.setattr("ankle_cds.artifacts.load_all", lambda: {"small": order_guideline()})
    chart, draft = chart_and_draft(tmp_path)
    given = ["--draft", draft] if hook == "encounter-start" else []
    assert cli.main(["explain", chart, "--hook", hook, *given, *CLOCK]) == 1
    assert "--draft" in capsys.readouterr().err


def test_two_builds_are_byte_identical(tmp_path: Path) -> None:
    """Nothing that is published depends on the clock, the folder or the order of files."""
    first, second = tmp_path / "one", tmp_path / "two"
    assert cli.main(["build", "--out", str(first)]) == cli.main(["build", "--out", str(second)]) == 0
    files = sorted(str(path.relative_to(first)) for path in first.rglob("*") if path.is_file())
    assert len(files) > 400
    assert "package.tgz" in files
    assert [(first / name).read_bytes() for name in files] == [(second / name).read_bytes() for name in files]
    assert files == sorted(str(path.relative_to(second)) for path in second.rglob("*") if path.is_file())


def test_a_release_is_active_and_still_experimental(tmp_path: Path) -> None:
    """`--release` changes the status; only a clinician's signature would change `experimental`."""
    assert cli.main(["build", "--out", str(tmp_path), "--release"]) == 0
    resources = [json.loads(path.read_text("utf-8")) for path in tmp_path.glob("*-*.json")]
    assert {resource["status"] for resource in resources if "status" in resource} == {"active"}
    assert all(resource.get("experimental") is True for resource in resources if "experimental" in resource)


def test_validate_finds_nothing_to_correct(capsys: pytest.CaptureFixture[str]) -> None:
    """The content as committed passes its own checks."""
    assert cli.main(["validate"]) == 0
    assert "nothing to correct" in capsys.readouterr().out


RIGHT = {
    "resourceType": "Observation",
    "status": "final",
    "category": [{"text": "Examination"}],
    "code": {"coding": [{"system": "https://w3id.org/ankle-cds/CodeSystem/pai-findings", "code": "cancer-history"}]},
    "subject": {"reference": "Patient/1"},
    "effectiveDateTime": "2026-05-14",
    "valueCodeableConcept": {"coding": [{"system": "https://w3id.org/ankle-cds/CodeSystem/pai-answer", "code": "no"}]},
}


def written(tmp_path: Path, resource: object) -> str:
    file = tmp_path / "resource.json"
    file.write_text(json.dumps(resource), "utf-8")
    return str(file)


def test_validate_says_which_rule_a_resource_breaks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Place, rule and remedy are printed; exit 1. Put right, the same file exits 0."""
    file = written(tmp_path, {**RIGHT, "status": "registered", "note": [{"text": "Zaphod"}]})
    assert cli.main(["validate", file]) == 1
    drawn = capsys.readouterr().out
    assert "status  invariant of pai-obs-status" in drawn
    assert "Only preliminary, final, amended and corrected observations are read." in drawn
    assert "Zaphod" not in drawn
    assert cli.main(["validate", written(tmp_path, RIGHT)]) == 0
    assert "Nothing to correct." in capsys.readouterr().out


def test_validate_answers_a_program_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, {**RIGHT, "valueCodeableConcept": {"coding": [{"system": "x", "code": "y"}]}})
    assert cli.main(["validate", file, "--profile", "PaiCancerHistory", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["valid"] is False
    ((broken,),) = [item["broken"] for item in report["resources"]]
    assert (broken["path"], broken["rule"], broken["kind"]) == (
        "valueCodeableConcept",
        "Observation.value[x]",
        "binding",
    )
    assert "PaiAnswer (no, unknown, yes)" in broken["message"]


@pytest.mark.parametrize(
    "more", [["--profile", "PaiNowhere"], ["missing.json"], ["--json"], ["--profile", "PaiCancerHistory"]]
)
def test_validate_tells_a_wrong_command_line_from_a_wrong_resource(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown profile, a missing file, options without a file, a named profile for a Bundle: exit 64."""
    bundle = written(tmp_path, {"resourceType": "Bundle", "entry": [{"resource": RIGHT}]})
    file = [bundle] if "--profile" in more else []
    assert cli.main(["validate", *file, *more]) == cli.USAGE
    assert capsys.readouterr().err


def test_validate_of_a_file_that_is_not_json_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The caller's file, not our content: exit 1."""
    file = tmp_path / "text.json"
    file.write_text("Zaphod", "utf-8")
    assert cli.main(["validate", str(file)]) == 1
    said = capsys.readouterr().err
    assert "JSON" in said
    assert "Zaphod" not in said
