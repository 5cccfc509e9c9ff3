"""AC-93: how many reviewed answers there are, for whom, and that none is empty."""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING

from ankle_cds.lint.looking import thing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.lint.built import Built
    from ankle_cds.lint.looking import Look

_CASES = ("tests/test_logic.py", "tests/cases_*.py")


def _fixtures(built: Built) -> list[set[str]]:
    """Give for every fixture of the logic the ids of recommendations that it expects; read, not run."""
    found = []
    if built.root is not None:
        for pattern in _CASES:
            for path in sorted(built.root.glob(pattern)):
                tree = ast.parse(path.read_text("utf-8"))
                names = _names(tree, {row["number"]: row["id"] for row in built.expected["recommendations"]})
                makers = {"Case", *_makers(tree)}
                for node in _told(tree):
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in makers:
                        used = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
                        found.append({names[name] for name in used & names.keys()})
    return found


def _told(tree: ast.Module) -> Iterator[ast.AST]:
    """Walk the fixtures themselves, not the functions that make them."""
    for statement in tree.body:
        if not isinstance(statement, ast.FunctionDef):
            yield from ast.walk(statement)


def _makers(tree: ast.Module) -> Iterator[str]:
    """Give the names of a module's functions that make a fixture."""
    for node in tree.body:
        if (
            isinstance(node, ast.FunctionDef)
            and isinstance(node.returns, ast.Name)
            and node.returns.id.endswith("Case")
        ):
            yield node.name


def _names(tree: ast.Module, known: dict[str, str]) -> dict[str, str]:
    """Give the names a module gives to recommendations or a level of one: `R4 = "Pai..."`, its own or another's."""
    own = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    levels = {name: one for name, value in own.items() for one in known.values() if value.startswith(one)}
    return levels | {name: own.get(name, known[name]) for name in known}


def ac_93_oracles(built: Built) -> Iterator[Look]:
    """There are at least as many reviewed answers as the specification asks for: stories and fixtures of the logic."""
    count = len(built.cases) + len(_fixtures(built))
    least = built.expected["minimumOracles"]
    for number in range(1, max(least, count) + 1):
        yield thing(f"oracle {number}", number <= count, f"there are {count}; at least {least}")


def ac_93_per_recommendation(built: Built) -> Iterator[Look]:
    """Each recommendation is told by at least as many of them as the specification asks for."""
    counts = Counter(name for case in built.cases for name in case.recommendations)
    counts.update(name for names in _fixtures(built) for name in names)
    least = built.expected["minimumPerRecommendation"]
    for row in built.expected["recommendations"]:
        yield thing(f"PlanDefinition/{row['id']}", counts[row["id"]] >= least, f"{counts[row['id']]}; at least {least}")


def ac_93_stories(built: Built) -> Iterator[Look]:
    """Each recommendation fires in a story and stays silent in another, and there are enough stories."""
    yield thing("stories", len(built.cases) >= built.expected["minimumStories"], f"there are {len(built.cases)}")
    for row in built.expected["recommendations"]:
        fires = [case for case in built.cases if row["id"] in case.recommendations]
        where = f"PlanDefinition/{row['id']}"
        yield thing(where, fires and len(fires) < len(built.cases), f"fires in {len(fires)} stories")


def ac_93_not_empty(built: Built) -> Iterator[Look]:
    """No reviewed answer is empty: it has cards, says that there is none, or refuses."""
    for case in built.cases:
        ok = "cards" in case.body or case.body.get("resourceType") == "OperationOutcome"
        yield thing(f"examples {case.id}", ok, "expects nothing")
