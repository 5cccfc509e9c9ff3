"""`ankle-cds lint`: every check sees its mistake, says where, and scores follow from figures alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ankle_cds import cli, lint
from ankle_cds.errors import ContentError
from ankle_cds.lint import Result, State
from ankle_cds.lint.check_digits import is_concept_id, luhn_holds
from cases_lint import FURTHER, MISTAKES
from small_artifacts import small

if TYPE_CHECKING:
    from collections.abc import Callable

    from small_built import Small

ROOT = Path(__file__).parents[1]
CONTENT = ROOT / "src" / "ankle_cds" / "content" / "posterior-ankle-impingement"
CHECKS = {check.name: check for check in lint.checks()}


@pytest.fixture(scope="module")
def green(tmp_path_factory: pytest.TempPathFactory) -> lint.Built:
    return small(tmp_path_factory.mktemp("green")).built()


@pytest.fixture(scope="module")
def shipped() -> dict[str, Any]:
    return dict(lint.read_acceptance(CONTENT).data)


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_is_green_on_a_package_without_mistakes(name: str, green: lint.Built) -> None:
    """And has looked at something: a check that looked at nothing is red."""
    result = lint.measure(CHECKS[name], green)
    assert result.findings == ()
    assert result.seen > 0


@pytest.mark.parametrize(
    ("name", "mistake"), [*MISTAKES.items(), *FURTHER], ids=[name for name, _ in [*MISTAKES.items(), *FURTHER]]
)
def test_a_check_sees_its_mistake_and_says_where(name: str, mistake: Callable[[Small], None], tmp_path: Path) -> None:
    package = small(tmp_path)
    mistake(package)
    result = lint.measure(CHECKS[name], package.built())
    assert result.state is State.FAIL
    assert all(problem for _, problem in result.findings)
    assert result.good < result.seen or result.seen == 0


def test_every_check_has_a_mistake_and_a_claim() -> None:
    assert MISTAKES.keys() == CHECKS.keys()
    assert all(check.what.endswith(".") for check in CHECKS.values())


def test_a_check_that_finds_nothing_to_look_at_is_red(tmp_path: Path) -> None:
    package = small(tmp_path)
    del package.resources["ConceptMap/ToyMap"]
    assert lint.measure(CHECKS["ac_63_comments"], package.built()).state is State.FAIL


def test_a_finding_names_the_element(tmp_path: Path) -> None:
    package = small(tmp_path)
    MISTAKES["ac_27_priority"](package)
    result = lint.measure(CHECKS["ac_27_priority"], package.built())
    assert result.findings[0][0] == "PlanDefinition/ToyAdvice.action.priority"
    assert "asap" in result.findings[0][1]


# What is measured elsewhere, and what nobody measures


def rows(package: Small, tmp_path: Path, **row: str) -> list[Result]:
    package.expected["elsewhere"] = [{"id": "AC-01", "name": "other", "what": "x", **row}]
    package.root = tmp_path
    return [result for result in lint.run(package.built()) if result.name == "other"]


def test_what_another_step_measures_is_neither_green_nor_red(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("step one\n")
    (result,) = rows(small(tmp_path / "p"), tmp_path, proof="run", step="step one")
    assert result.state is State.ELSEWHERE
    assert result.proof == "run step one"


REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_a" name="test_one[x]"/><testcase classname="tests.test_a" name="test_one[y]"/>
<testcase classname="tests.test_a" name="test_one_more"><failure message="no"/></testcase>
<testcase classname="tests.test_a" name="test_two"><skipped/></testcase>
<testcase classname="tests.test_b" name="test_one"/>
<testcase classname="" name="tests.test_d"><error message="collection failure"/></testcase>
</testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("proof", "step", "state", "figure"),
    [
        ("tests/test_a.py", "test_one", State.PASS, "2 of 2"),
        ("tests/test_a.py", "test_one_more", State.FAIL, "0 of 1"),
        ("tests/test_a.py", "test_two", State.FAIL, "0 of 1"),
        ("tests/test_a.py", "", State.FAIL, "2 of 4"),
        ("tests/test_b.py", "", State.PASS, "1 of 1"),
        ("tests/test_c.py", "", State.ELSEWHERE, "-"),
        ("tests/test_d.py", "", State.FAIL, "0 of 1"),
        ("run", "step one", State.PASS, "1 of 1"),
        ("run", "step", State.ELSEWHERE, "-"),
    ],
)
def test_what_another_step_has_shown_is_the_figure(
    proof: str, step: str, state: State, figure: str, tmp_path: Path
) -> None:
    """Green when all of it ran and passed, red when any of it did not, and nothing when it did not run."""
    (tmp_path / "tests").mkdir()
    for name in ("run", "tests/test_a.py", "tests/test_b.py", "tests/test_c.py", "tests/test_d.py"):
        (tmp_path / name).write_text("step one, test_one, test_one_more, test_two")
    (tmp_path / "report.xml").write_text(REPORT)
    (tmp_path / "steps").write_text("step one\n\nstep two\n")
    reports = lint.read_reports([tmp_path / "report.xml", tmp_path / "steps"])
    package = small(tmp_path / "p")
    package.expected["elsewhere"] = [{"id": "AC-01", "name": "other", "what": "x", "proof": proof, "step": step}]
    package.root = tmp_path
    (result,) = (one for one in lint.run(package.built(), reports) if one.name == "other")
    assert (result.state, result.figure) == (state, figure)


def test_a_report_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cut.xml").write_text(REPORT[:100])
    for name in ("cut.xml", "gone.xml", "gone"):
        with pytest.raises(ContentError, match=r"pytest --junitxml"):
            lint.read_reports([tmp_path / name])


@pytest.mark.parametrize("row", [{}, {"proof": "gone"}, {"proof": "run", "step": "step two"}])
def test_a_step_that_does_not_exist_measures_nothing(row: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "run").write_text("step one\n")
    (result,) = rows(small(tmp_path / "p"), tmp_path, **row)
    assert result.state is State.FAIL


def test_a_line_without_a_check_is_red(tmp_path: Path) -> None:
    package = small(tmp_path)
    package.expected["lines"].append({"id": "AC-00", "scope": "all", "passes": "it is thought of"})
    assert [result.name for result in lint.run(package.built()) if result.line == "AC-00"] == ["not-measured"]


# Scores


def scored(seen: int, good: int, **row: Any) -> lint.Score:
    results = [Result("AC-01", "a", "", State.PASS, 10, 10), Result("AC-01", "b", "", State.FAIL, seen, good)]
    results.append(Result("AC-01", "c", "", row.pop("other", State.ELSEWHERE), proof="a step"))
    feature = {"number": 1, "name": "x", "others": [0, 1, 2, 3], "goal": 3, "checks": ["a", "b"], **row}
    rules = [
        {"score": 0, "share": 0, "because": "less"},
        {"score": 3, "share": 1, "because": "all"},
        {"score": 1, "share": 0.5, "because": "half"},
    ]
    (score,) = lint.score(results, {"features": [feature], "scores": rules})
    return score


def test_the_smallest_share_decides_the_score() -> None:
    assert [scored(4, good).score for good in (4, 3, 2, 1, 0)] == [3, 1, 1, 0, 0]
    assert scored(4, 3).figure == "3 of 4 (b)"
    assert scored(4, 3).because == "half"


def test_nothing_looked_at_scores_nothing() -> None:
    assert scored(0, 0).score == 0


def test_a_part_measured_elsewhere_never_gives_the_best_score() -> None:
    assert scored(4, 4, elsewhere="c").score == 2
    assert scored(4, 3, elsewhere="c").score == 1
    assert scored(4, 4, elsewhere="c", other=State.FAIL).score == 2
    assert scored(4, 4, elsewhere="c", other=State.PASS).score == 3


def test_a_goal_below_the_best_is_a_limit_with_its_reason() -> None:
    limited = scored(4, 4, limit=2, because="forms only")
    assert (limited.score, limited.because) == (2, "forms only")


# The shipped tables


def test_the_checklist_is_the_one_of_the_specification(shipped: dict[str, Any]) -> None:
    """49 lines, 22 features, and nothing is asked that no check and no other step answers."""
    lines = [row["id"] for row in shipped["lines"]]
    assert len(lines) == len(set(lines)) == 49
    assert [row["number"] for row in shipped["features"]] == list(range(1, 23))
    assert sum(row["goal"] for row in shipped["features"]) == 65
    assert [sum(row["others"][i] for row in shipped["features"]) for i in range(4)] == [27, 17, 14, 22]
    answered = {check.line for check in CHECKS.values()} | {row["id"] for row in shipped["elsewhere"]}
    assert set(lines) <= answered


def test_the_tables_agree_with_each_other(shipped: dict[str, Any]) -> None:
    """What carries a statement by the list of statements is what its own row says it carries."""
    own = {row["id"]: set(row["statements"]) for row in (*shipped["recommendations"], *shipped["forms"])}
    own[shipped["pathway"]["id"]] = set(shipped["pathway"]["statements"])
    own[shipped["orderSet"]] = set(shipped["orderSetStatements"])
    carriers = {name: {label for label, names in shipped["carriers"].items() if name in names} for name in own}
    assert carriers == own
    listed = {name for row in shipped["strategies"] for name in row["recommendations"]}
    assert listed == {row["id"] for row in shipped["recommendations"]}
    named = {name for row in shipped["recommendations"] for name in row.get("suggestions", [])}
    assert named <= {row["id"] for row in shipped["activities"]} | {shipped["orderSet"]}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("checks: [ac_25_leaves]", "checks: [ac_25_roots]", "no check ac_25_roots"),
        ("  - id: AC-02\n", "  - id: AC-01\n", "stands twice"),
        ("elsewhere: package-diff", "elsewhere: wishes", "wishes"),
        ("bar: 63", "baz: 63", "`bar` is missing"),
    ],
)
def test_a_mistake_in_the_table_is_refused_with_its_line(old: str, new: str, said: str, tmp_path: Path) -> None:
    text = (CONTENT / "acceptance.yaml").read_text()
    assert old in text
    (tmp_path / "acceptance.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(ContentError, match=re.escape(said)) as caught:
        lint.read_acceptance(tmp_path)
    assert re.search(r"acceptance\.yaml:\d+", str(caught.value))


def test_check_digits_tell_right_from_mistyped() -> None:
    assert is_concept_id("247373008")
    assert not is_concept_id("247373018")  # a description id
    assert luhn_holds("72514-3")
    assert not luhn_holds("72514-4")


# The command


@pytest.fixture(scope="module")
def run_once() -> dict[str, Any]:
    """Run the command once on the shipped content."""
    import contextlib  # noqa: PLC0415 - only here
    import io  # noqa: PLC0415 - only here

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = cli.main(["lint", "--json"])
    document: dict[str, Any] = json.loads(out.getvalue())
    return {**document, "exit": code}


def test_the_command_tells_every_check_and_every_feature(run_once: dict[str, Any]) -> None:
    names = {check["check"] for check in run_once["checks"]}
    assert CHECKS.keys() <= names
    assert len(run_once["features"]) == 22
    assert run_once["exit"] == (0 if run_once["counts"]["fail"] == 0 else 2)
    assert run_once["score"] == sum(feature["score"] for feature in run_once["features"])


def test_a_finding_of_the_command_has_file_and_line(run_once: dict[str, Any]) -> None:
    """Where a finding names an artifact, it also names the place in the author's file."""
    found = [one for check in run_once["checks"] for one in check["findings"] if one["where"].startswith("PlanDef")]
    for one in found:
        if (CONTENT / "plans" / f"{one['where'].split('/')[1].split('.')[0]}.yaml").is_file():
            assert re.search(r"\.yaml:\d+$", one["at"]), one


def test_the_tables_are_drawn(green: lint.Built, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only here

    results = [Result("AC-01", "ac_01_id", "The id.", State.FAIL, 3, 2, (("PlanDefinition/X.id", "is wrong"),))]
    results.append(Result("AC-50", "other", "The ELM.", State.ELSEWHERE, proof=".ci/run"))
    lint.draw(results, [scored(4, 3)], green.expected, lambda where: f"{where}?", Console(width=200))
    drawn = capsys.readouterr().out
    for words in ("2 of 3", "PlanDefinition/X.id (PlanDefinition/X.id?): is wrong", ".ci/run", "3 of 4 (b)"):
        assert words in drawn
    assert "0 checks green, 1 red; 1 measured elsewhere" in drawn


def test_lint_is_green_on_the_shipped_content(run_once: dict[str, Any]) -> None:
    """The package is what the specification asks for, line by line."""
    red = {f"{check['id']} {check['check']}" for check in run_once["checks"] if check["state"] == "fail"}
    assert red == set()
