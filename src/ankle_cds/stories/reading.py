"""Finds the story folders and reads the heads of their `story.md`; what is not understood is refused with its line."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import yaml

from ankle_cds.errors import ContentError
from ankle_cds.hooks import HOOKS
from ankle_cds.stories.story import OK, Answered, Earlier, ExpectedCard, Story

_HEAD = re.compile(r"---\n(?P<head>.*?\n)---\n(?P<body>.*)", re.DOTALL)


def folder() -> Path:
    """Find the stories: beside the source tree, or inside the installed package."""
    here = Path(__file__).resolve().parents[1]
    for place in (here / "examples", here.parents[1] / "examples"):
        if place.is_dir():
            return place
    raise ContentError("The example stories are not installed; reinstall the package.", where=str(here / "examples"))


def read_all(examples: Path | None = None) -> tuple[Story, ...]:
    """Read every story, in order of condition and name; raise ContentError listing every folder that is not one."""
    stories: list[Story] = []
    causes: list[ContentError] = []
    root = examples or folder()
    for file in sorted([*root.glob("*/*/story.md"), *root.glob("*/*/*/story.md")]):
        try:
            stories.append(read(file.parent))
        except ContentError as error:
            causes.append(error)
    names = [story.id for story in stories]
    causes += [
        ContentError("Two stories have this name; rename one.", where=str(story.folder))
        for at, story in enumerate(stories)
        if story.id in names[:at]
    ]
    if causes:
        raise ContentError(f"{len(causes)} stories cannot be read.", where=str(root), causes=tuple(causes))
    return tuple(stories)


def read(story_folder: Path) -> Story:
    """Read the story of one folder; raise ContentError with file and line when its head is not what `Story` says."""
    return _Head(story_folder).story()


class _Head:
    """Reads the head of one `story.md`: every value is text, a list of texts or a mapping, each with its line."""

    def __init__(self, story_folder: Path) -> None:
        self.folder = story_folder
        self.file = story_folder / "story.md"

    def refuse(self, message: str, node: yaml.Node | None = None) -> NoReturn:
        # The head begins after the opening line of dashes, and lines count from one.
        line = f":{node.start_mark.line + 2}" if node is not None else ""
        raise ContentError(message, where=f"{self.file}{line}")

    def story(self) -> Story:
        parts = _HEAD.fullmatch(self.file.read_text(encoding="utf-8"))
        if parts is None:
            self.refuse("A story begins with its head between two lines of '---'; add it.")
        try:
            # The base loader reads every plain value as text, so that nothing is guessed.
            node = yaml.compose(parts["head"], Loader=yaml.BaseLoader)
        except yaml.YAMLError:
            self.refuse("The head is not YAML; write 'key: value' lines.")
        values = self.mapping(node)
        known = set(Story.__dataclass_fields__) - {"folder", "text"} | {"never-says", "silent"}
        for key, value in values.items():
            if key not in known - {"never_says"}:
                self.refuse(f"'{key}' is not a key of a story; the keys are the fields of Story.", value)
        for key in ("id", "title", "clock", "hook", "patient", "user"):
            if key not in values:
                self.refuse(f"'{key}' is missing; add it.", node)
        if self.text(values["id"]) != self.folder.name:
            self.refuse("'id' differs from the name of the folder; make them equal.", values["id"])
        if sum(key in values for key in ("expect", "silent", "status")) != 1:
            self.refuse("Give exactly one of 'expect' (cards), 'silent: true' (none) and 'status' (an error).", node)
        self.orders(values)
        return self.build(values, parts["body"].strip())

    def orders(self, values: dict[str, yaml.Node]) -> None:
        """Refuse drafts where no hook asks about them, and a hook that asks about orders without any."""
        hook = HOOKS.get(self.text(values["hook"]))
        if hook is None:
            self.refuse(f"This hook is not known; use one of {', '.join(HOOKS)}.", values["hook"])
        has_drafts = (self.folder / "drafts.json").exists()
        if hook.is_about_orders != has_drafts:
            advice = "add them in" if hook.is_about_orders else "they cannot be sent with it: remove"
            self.refuse(f"The hook {hook.name} and its draft orders do not fit; {advice} drafts.json.", values["hook"])
        if "selections" in values and "selections" not in hook.context.model_fields:
            self.refuse("Only order-select has selections; remove them.", values["selections"])

    def build(self, values: dict[str, yaml.Node], body: str) -> Story:
        def texts(key: str) -> tuple[str, ...]:
            return self.texts(values[key]) if key in values else ()

        return Story(
            folder=self.folder,
            id=self.folder.name,
            title=self.text(values["title"]),
            clock=self.clock(values["clock"]),
            hook=self.text(values["hook"]),
            patient=self.text(values["patient"]),
            user=self.text(values["user"]),
            encounter=self.text(values["encounter"]) if "encounter" in values else None,
            selections=texts("selections"),
            parameters=self.parameters(values.get("parameters")),
            unavailable=texts("unavailable"),
            omit=texts("omit"),
            empty=texts("empty"),
            after=tuple(self.earlier(node) for node in self.items(values["after"])) if "after" in values else (),
            tags=texts("tags"),
            statements=texts("statements"),
            evidence=texts("evidence"),
            status=int(self.text(values["status"])) if "status" in values else OK,
            expect=tuple(self.card(node) for node in self.items(values["expect"])) if "expect" in values else (),
            says=texts("says"),
            never_says=texts("never-says"),
            text=body,
        )

    def mapping(self, node: yaml.Node | None) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self.refuse("A mapping ('key: value' lines) is expected here.", node)
        members: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if self.text(key) in members:
                self.refuse(f"'{key.value}' is given twice; keep one.", key)
            members[key.value] = value
        return members

    def items(self, node: yaml.Node) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self.refuse("A list with at least one entry is expected here; leave the key out where there is none.", node)
        return list(node.value)

    def texts(self, node: yaml.Node) -> tuple[str, ...]:
        return tuple(self.text(item) for item in self.items(node))

    def text(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            self.refuse("A text is expected here.", node)
        return str(node.value)

    def clock(self, node: yaml.Node) -> datetime:
        try:
            clock = datetime.fromisoformat(self.text(node))
        except ValueError:
            clock = None
        if clock is None or clock.tzinfo is None:
            self.refuse("The clock is a date and time with offset, as 2026-05-14T09:30:00-07:00.", node)
        return clock

    def parameters(self, node: yaml.Node | None) -> dict[str, Any]:
        if node is None:
            return {}
        return {name: self.parameter(value) for name, value in self.mapping(node).items()}

    def parameter(self, node: yaml.Node) -> Any:
        """Read a value of the site configuration: JSON types; in a list or in quotes, text."""
        if isinstance(node, yaml.SequenceNode):
            return list(self.texts(node))
        text = self.text(node)
        if isinstance(node, yaml.ScalarNode) and node.style:
            return text
        try:
            return json.loads(text)
        except ValueError:
            return text

    def earlier(self, node: yaml.Node) -> Earlier:
        values = self.mapping(node)
        visit = self.text(self.wanted(values, "visit", Earlier, node))
        if not (self.folder.parent / visit / "story.md").exists():
            self.refuse("There is no visit of this name in the journey.", node)
        said = self.items(values["answers"]) if "answers" in values else []
        return Earlier(visit, tuple(self.answered(one) for one in said))

    def answered(self, node: yaml.Node) -> Answered:
        values = self.mapping(node)
        recommendation = self.text(self.wanted(values, "recommendation", Answered, node))
        outcome = self.text(self.wanted(values, "outcome", Answered, node))
        if outcome not in {"accepted", "overridden"}:
            self.refuse("An outcome is accepted or overridden.", node)
        return Answered(recommendation, outcome, self.text(values["reason"]) if "reason" in values else None)

    def wanted(self, values: dict[str, yaml.Node], name: str, kind: type[Any], node: yaml.Node) -> yaml.Node:
        for key, value in values.items():
            if key not in kind.__dataclass_fields__:
                self.refuse(f"'{key}' is not a key here; the keys are the fields of {kind.__name__}.", value)
        if name not in values:
            self.refuse(f"'{name}' is missing; add it.", node)
        return values[name]

    def card(self, node: yaml.Node) -> ExpectedCard:
        values = self.mapping(node)
        for key in values:
            if key not in ExpectedCard.__dataclass_fields__:
                self.refuse(f"'{key}' is not a key of an expected card.", values[key])
        for key in ("recommendation", "indicator"):
            if key not in values:
                self.refuse(f"'{key}' is missing; add it.", node)
        return ExpectedCard(
            recommendation=self.text(values["recommendation"]),
            indicator=self.text(values["indicator"]),
            side=self.text(values["side"]) if "side" in values else None,
            buttons=self.texts(values["buttons"]) if "buttons" in values else (),
        )
