"""Break plans, activities, value sets and declarations in one place at a time; a claim, a story or the loader notices.

A claim is a test of test_content.py or test_drafts.py, called with the broken package. A story is an example folder:
the broken package answers its request, and the cards are compared with the reviewed ones. What neither notices is
written to a copy of the content folder: the loader may refuse it.
"""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import inspect
import json
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import test_content
import test_drafts
import test_members
from ankle_cds import artifacts, elm, guidance, hooks, prefetch, settings, stories
from ankle_cds.errors import ContentError, RequestError
from ankle_cds.fhir import read_json_file
from ankle_cds.service import guidance_settings, offered_hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

Node = dict[str, Any]
_TURNED: Final = {
    "priority": {"routine": "urgent", "urgent": "stat", "stat": "routine", "asap": "stat"},
    "precheckBehavior": {"yes": "no", "no": "yes"},
    "selectionBehavior": {"any": "at-most-one", "at-most-one": "any"},
    "cardinalityBehavior": {"single": "multiple", "multiple": "single"},
    "intent": {"proposal": "order"},
    "kind": {"ServiceRequest": "MedicationRequest", "MedicationRequest": "ServiceRequest", "Task": "ServiceRequest"},
}
_DROPPED: Final = ("condition", "trigger", "dynamicValue", "action")


Check = tuple[str, "Callable[[artifacts.Package], None]"]


class Broken(NamedTuple):
    """One change of one artifact: `what` names it, `change` makes it in a copy."""

    url: str
    key: str
    change: Callable[[Node], None]


def _actions(node: Node, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    for place, action in enumerate(node.get("action", ())):
        here = (*path, "action", place)
        yield here, action
        yield from _actions(action, here)


def _at(node: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        node = node[step]
    return node


def _set(path: tuple[str | int, ...], name: str | int, value: Any) -> Callable[[Node], None]:
    return lambda resource: _at(resource, path).__setitem__(name, value)


def _drop(path: tuple[str | int, ...], name: str, place: int | None = None) -> Callable[[Node], None]:
    def change(resource: Node) -> None:
        node = _at(resource, path)
        if place is None or len(node[name]) == 1:
            del node[name]
        else:
            del node[name][place]

    return change


def _swap(path: tuple[str | int, ...], place: int) -> Callable[[Node], None]:
    def change(resource: Node) -> None:
        actions = _at(resource, path)["action"]
        actions[place], actions[place + 1] = actions[place + 1], actions[place]

    return change


def _fewer(node: Node, path: tuple[str | int, ...]) -> Iterator[tuple[str, Callable[[Node], None]]]:
    """Give the changes that leave a part out, or put two parts in the other order."""
    for name in _DROPPED if path else ("dynamicValue", "profile", "code"):
        parts = node.get(name) or []
        for place in range(len(parts) if isinstance(parts, list) else 1):
            yield f"drop {name} {place + 1}", _drop(path, name, place if isinstance(parts, list) else None)
    for place in range(len(node.get("action", ())) - 1 if path else 0):
        yield f"swap action {place + 1} with the next", _swap(path, place)


def _next(value: str, among: list[str]) -> str | None:
    others = [one for one in among if one != value]
    return next((one for one in others if one > value), others[0] if others else None)


class Remembering:
    """The compiled logic, which no plan changes: what it said about the chart of a story it need not work out again."""

    def __init__(self, program: elm.Program) -> None:
        self._program = program
        self._said: dict[tuple[int, str], Any] = {}
        self.charts: dict[int, Any] = {}  # by identity, which holds while the chart is kept here

    def __getattr__(self, name: str) -> Any:
        return getattr(self._program, name)

    def evaluate(self, resources: Any, **given: Any) -> Any:
        """Open an evaluation, or give the one that is known."""
        if id(resources) not in self.charts:
            return self._program.evaluate(resources, **given)
        key = id(resources), json.dumps(given, sort_keys=True, default=str)
        if key not in self._said:
            self._said[key] = self._program.evaluate(resources, **given)
        return self._said[key]


class Plans:
    """The package as published, what is claimed of it, and the stories ready to be answered."""

    def __init__(self) -> None:
        package = artifacts.load_all()["posterior-ankle-impingement"]
        self.program = Remembering(package.program)
        self.package = dataclasses.replace(package, program=cast("elm.Program", self.program))
        self.checks = [*_claims(test_content), *self._stories(), *_claims(test_drafts)]
        self.likely: dict[str, list[int]] = {}
        self.names: dict[str, set[str]] = {}
        self.canonicals: dict[str, set[str]] = {}
        for resource in self._mutable():
            for path, action in (((), resource), *_actions(resource)):
                for value in action.get("dynamicValue", ()):
                    self.names.setdefault(value["path"], set()).add(value["expression"]["expression"])
                for condition in action.get("condition", ()):
                    self.names.setdefault("condition", set()).add(condition["expression"]["expression"])
                if path and "definitionCanonical" in action:
                    kind = action["definitionCanonical"].split("/")[-2]
                    self.canonicals.setdefault(kind, set()).add(action["definitionCanonical"])

    def _mutable(self) -> list[Node]:
        return [*self.package.of_type("PlanDefinition"), *self.package.of_type("ActivityDefinition")]

    def _stories(self) -> Iterator[Check]:
        """Give the stories that are answered with cards, each ready to be compared with the reviewed answer."""
        for story in stories.read_all():
            if story.status == stories.OK and not story.after:
                site = settings.load(environment={}, mode="development", port=0, parameters=dict(story.parameters))
                decided = guidance_settings({self.package.service_id: self.package}, site)
                document = read_json_file(story.request_file)
                request = hooks.read_request(document, offered_hooks(self.package), plain_http=True)
                data = asyncio.run(prefetch.gather(request, self.package, None))
                self.program.charts[id(data.resources)] = data.resources
                expected = read_json_file(story.expected_file)["cards"]
                answer = partial(_answer, request=request, data=data, decided=decided, now=story.clock)
                yield (
                    story.id,
                    lambda package, answer=answer, expected=expected: _require(holds=answer(package) == expected),
                )

    def wrong(self) -> list[str]:
        """Give what fails before anything is broken; from then on the quick checks are asked first."""
        seconds, failing = {}, []
        for name, check in self.checks:
            began = time.process_time()
            if not _holds(check, self.package):
                failing.append(name)
            seconds[name] = time.process_time() - began
        self.checks.sort(key=lambda check: seconds[check[0]])
        return failing

    def every(self) -> Iterator[Broken]:
        """Give every change of plans and activities."""
        for resource in self._mutable():
            for path, node in (((), resource), *_actions(resource)):
                name = f"{resource['id']}\t{node.get('id', 'top') if path else 'top'}: "
                for what, change in self._changes(node, path):
                    yield Broken(resource["url"], name + what, change)

    def _changes(self, node: Node, path: tuple[str | int, ...]) -> Iterator[tuple[str, Callable[[Node], None]]]:
        for name, turned in _TURNED.items():
            if node.get(name) in turned:
                yield f"{name} {node[name]} -> {turned[node[name]]}", _set(path, name, turned[node[name]])
                yield f"drop {name}", _drop(path, name)
        yield from _fewer(node, path)
        for kind in ("condition", "dynamicValue"):
            for place, part in enumerate(node.get(kind, ())):
                name = part["expression"]["expression"]
                other = _next(name, sorted(self.names["condition" if kind == "condition" else part["path"]]))
                if other:
                    where = (*path, kind, place, "expression")
                    yield f"{kind} {place + 1}: {name} -> {other}", _set(where, "expression", other)
        if path and "definitionCanonical" in node:
            kind = node["definitionCanonical"].split("/")[-2]
            other = _next(node["definitionCanonical"], sorted(self.canonicals[kind]))
            if other:
                yield f"definitionCanonical -> {other.split('/')[-1]}", _set(path, "definitionCanonical", other)

    def killer(self, broken: Broken) -> str | None:
        """Give the claim or story that notices the change, "refused" when the loader does; None when nobody does."""
        resource = copy.deepcopy(self.package.resources[broken.url])
        broken.change(resource)
        package = dataclasses.replace(
            self.package, resources=MappingProxyType({**self.package.resources, broken.url: resource})
        )
        try:
            guidance.check(package)
        except ContentError:
            return "refused"
        # What has noticed a change of this artifact before is asked first.
        likely = self.likely.setdefault(broken.url, [])
        for place in [*likely, *(other for other in range(len(self.checks)) if other not in likely)]:
            name, check = self.checks[place]
            if not _holds(check, package):
                self.likely[broken.url] = [place, *(other for other in likely if other != place)][:6]
                return name
        return "refused" if self._refused(broken) else None

    def _refused(self, broken: Broken) -> bool:
        """Write the change to a copy of the content folder and load it."""
        source = self.package.sources[broken.url]
        authored = copy.deepcopy(source.authored)
        broken.change(authored)
        with tempfile.TemporaryDirectory() as folder:
            copied = Path(folder) / self.package.folder.name
            shutil.copytree(self.package.folder, copied)
            file = copied / source.document.path.relative_to(self.package.folder)
            file.write_text(json.dumps(authored, default=str), encoding="utf-8")
            try:
                artifacts.load(copied)
            except ContentError:
                return True
        return False

    def members(self) -> Iterator[tuple[str, bool]]:
        """Drop each written member of each value set; tell whether the list of the reference notices."""
        for source in self.package.sources.values():
            if source.type != "ValueSet":
                continue
            for place, include in enumerate(source.authored["compose"]["include"]):
                for part in ("concept", "filter"):
                    for index, member in enumerate(include.get(part, ())):
                        broken = copy.deepcopy(source.authored)
                        _drop(("compose", "include", place), part, index)(broken)
                        noticed = test_members.differs(broken)
                        yield f"{source.id}\tdrop {member.get('code', member.get('value'))}", noticed

    def declarations(self) -> Iterator[tuple[str, bool]]:
        """Let each declaration of the logic mean what the next one means; tell whether the names are compared."""
        for file in sorted((self.package.folder / "logic").glob("Pai*.cql")):
            declared = test_members.declarations(file)
            for one, other in zip(declared, declared[1:] + declared[:1], strict=True):
                if (one.kind, one.system) == (other.kind, other.system):
                    broken = one._replace(value=other.value)
                    yield f"{file.stem}\t{one.kind} {one.name} -> {other.name}", test_members.misnamed(broken)


def _claims(module: ModuleType) -> Iterator[Check]:
    """Find the tests that take the package, and a name where they are run for several."""
    for name, function in inspect.getmembers(module, inspect.isfunction):
        parameters = list(inspect.signature(function).parameters)
        if not name.startswith("test_") or parameters[:1] != ["package"]:
            continue
        if parameters == ["package"]:
            yield name, function
        elif parameters == ["package", "name"]:
            (mark,) = (mark for mark in function.pytestmark if mark.name == "parametrize")
            for value in mark.args[1]:
                yield f"{name}[{value}]", lambda package, function=function, value=value: function(package, value)


def _answer(
    package: artifacts.Package, request: hooks.Request, data: prefetch.PatientData, decided: Any, now: Any
) -> Any:
    return json.loads(json.dumps(guidance.respond(package, request, data, decided, now).cards))


def _require(*, holds: bool) -> None:
    if not holds:
        raise AssertionError


def _holds(check: Callable[[artifacts.Package], None], package: artifacts.Package) -> bool:
    """Tell whether a check passes; content that makes it stumble is noticed too."""
    try:
        check(package)
    except (AssertionError, LookupError, TypeError, ValueError, ContentError, RequestError):
        return False
    return True
