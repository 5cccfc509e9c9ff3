"""The parameters of a site: what holds, what it rests on, and what is refused before anything is served."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ankle_cds import artifacts, cli, parameters, service, settings
from ankle_cds.errors import ContentError
from ankle_cds.settings import PER_CALL

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def package() -> artifacts.Package:
    (package,) = artifacts.load_all().values()
    return package


def site(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(text, "utf-8")
    return path


def held(package: artifacts.Package, *arguments: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert cli.main(["parameters", "--json", *arguments]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["service"] == package.service_id
    return {one["name"]: one for one in listed["parameters"]}


def test_every_parameter_of_the_logic_and_of_the_service_is_listed(
    package: artifacts.Package, capsys: pytest.CaptureFixture[str]
) -> None:
    found = held(package, capsys=capsys)
    read_by_logic = {name for name, one in found.items() if one["readBy"] == "logic"}
    assert read_by_logic == package.program.parameters.keys()
    assert found.keys() - read_by_logic == {
        "MaxCardsView",
        "MaxCardsOrder",
        "SuppressDeclinedDays",
        "SuppressNeedMoreInfoDays",
        "SuppressFallbackHours",
        "SmartLaunchUrl",
    }
    assert {name for name, one in found.items() if one["setByEachCall"]} == PER_CALL
    for one in found.values():
        assert one["basis"]
        assert one["value"] == one["default"]
        assert one["unit"] or one["type"] not in {"Integer", "Decimal"}


def test_a_value_of_the_site_is_shown_with_its_place_and_its_default(
    package: artifacts.Package, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = site(tmp_path, "parameters:\n  AdultAge: 21\n")
    age = held(package, "--config", str(config), capsys=capsys)["AdultAge"]
    assert (age["value"], age["default"], age["unit"], age["setAt"]) == (21, 18, "years", f"{config}:2")
    assert cli.main(["parameters", "--config", str(config)]) == 0
    drawn = capsys.readouterr().out
    assert f"AdultAge 21 years  set at {config}:2; default 18 years" in drawn
    assert "AgeMinimum 8 years\n" in drawn
    assert "E-TUM1" in drawn


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("AdultAge: 5", 3, "AdultAge (5) is below AgeMinimum (8)"),
        ("AgeMinimum: 30", 3, "AdultAge (18) is below AgeMinimum (30)"),
        ("AgeMinimum: 70\n  OlderAge: 69", 3, "AdultAge (18) is below AgeMinimum (70)"),
        ("EgfrStop: 61.5", 3, "EgfrCaution (60.0) is below EgfrStop (61.5)"),
        ("PregnancyStopWeeks: 19", 3, "PregnancyStopWeeks (19) is below PregnancyCautionWeeks (20)"),
        ("PainImprovedPoints: 11", 3, "PainImprovedPoints is above 10"),
        ("RedFlagWindowDays: 0", 3, "RedFlagWindowDays is below 1"),
        ("MaxCardsView: 0", 3, "MaxCardsView is below 1"),
        ("AllowedEncounterClasses: []", 3, "AllowedEncounterClasses is empty"),
        ("SmartLaunchUrl: http://forms.example.org", 3, "SmartLaunchUrl is no https address"),
        ("AgeMinimum: -1", 3, "AgeMinimum must be zero or more"),
    ],
)
def test_values_that_must_not_hold_are_refused_with_file_and_line(
    package: artifacts.Package, text: str, line: int, said: str, tmp_path: Path
) -> None:
    config = site(tmp_path, f"auth: none\nparameters:\n  {text}\n")
    with pytest.raises(ContentError) as caught:
        service.guidance_settings({package.service_id: package}, settings.load(config, environment={}))
    assert said in str(caught.value)
    assert f"{config}:{line}" in str(caught.value)


def test_every_bad_value_is_named_at_once(package: artifacts.Package, tmp_path: Path) -> None:
    config = site(tmp_path, "auth: none\nparameters:\n  AdultAge: 5\n  MaxCardsView: 0\n")
    with pytest.raises(ContentError) as caught:
        parameters.decided([package], settings.load(config, environment={}))
    assert f"{config}:3" in str(caught.value)
    assert f"{config}:4" in str(caught.value)


def test_the_limits_themselves_may_hold(package: artifacts.Package, tmp_path: Path) -> None:
    """At least means at least: a value on the limit is no mistake."""
    text = "parameters:\n  AdultAge: 8\n  PainImprovedPoints: 10\n  RedFlagWindowDays: 1\n  MaxCardsView: 1\n"
    given = parameters.decided([package], settings.load(site(tmp_path, text), environment={}))
    assert {name: int(value) for name, value in given.items()} == {
        "AdultAge": 8,
        "PainImprovedPoints": 10,
        "RedFlagWindowDays": 1,
        "MaxCardsView": 1,
    }


def test_the_service_does_not_start_with_such_a_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = site(tmp_path, "parameters:\n  AdultAge: 5\n")
    assert cli.main(["serve", "--dev", "--config", str(config)]) == 2
    assert f"{config}:2" in capsys.readouterr().err


def test_what_the_service_reads_comes_from_the_same_table(package: artifacts.Package, tmp_path: Path) -> None:
    packages = {package.service_id: package}
    default = service.guidance_settings(packages, settings.load(None, environment={})).cards
    assert (default.max_cards_view, default.max_cards_order, default.smart_launch_url) == (2, 1, None)
    config = site(tmp_path, "parameters:\n  MaxCardsView: 3\n  SmartLaunchUrl: https://forms.example.org/launch\n")
    given = service.guidance_settings(packages, settings.load(config, environment={})).cards
    assert (given.max_cards_view, given.smart_launch_url) == (3, "https://forms.example.org/launch")


def description(package: artifacts.Package, config: Path | None) -> str:
    entries = service.discovery_entries(package, settings.load(config, environment={}, mode="development"))
    (found,) = {entry["description"] for entry in entries}
    plan = package.get(package.pathway)["description"]
    assert found.startswith(plan)
    return str(found.removeprefix(plan))


def test_discovery_says_which_values_differ_and_where_all_are_listed(
    package: artifacts.Package, tmp_path: Path
) -> None:
    assert description(package, None) == " Every site parameter has its default; `ankle-cds parameters` lists them."
    config = site(tmp_path, "parameters:\n  AdultAge: 21\n  OlderAge: 65\n  ReasonPhrases: [ankle pain]\n")
    assert description(package, config) == (
        " Parameters set by this site: ReasonPhrases 1 entry (default 7 entries); AdultAge 21 years (default 18)."
        " `ankle-cds parameters` lists all."
    )


def test_discovery_stays_short_however_much_a_site_has_set(package: artifacts.Package, tmp_path: Path) -> None:
    numbers = [one for one in package.parameters if one.unit == "days"]
    text = "parameters:\n" + "".join(f"  {one.name}: {one.default + 1}\n" for one in numbers)
    text += f"  SmartLaunchUrl: https://forms.example.org/{'x' * 500}\n"
    said = description(package, site(tmp_path, text))
    assert f"and {len(numbers) - 4} more" in said
    assert len(said) < 500
