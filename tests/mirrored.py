"""The other ankle: every code, word and answer that names a side, exchanged, and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from charts import SCT, SIDES

if TYPE_CHECKING:
    from ankle_cds.artifacts import Package

RIGHT, LEFT = "PaiCodedRight", "PaiCodedLeft"
_WORD = re.compile(r"\b(right|left)\b", re.IGNORECASE)
_OTHER = {"right": "left", "left": "right"}
Code = tuple[str, str]


def other_word(text: str) -> str:
    """Exchange the words left and right, in the case they have."""

    def other(found: re.Match[str]) -> str:
        word = _OTHER[found[0].lower()]
        return word.title() if found[0][0].isupper() else word

    return _WORD.sub(other, text)


def named(package: Package, value_set: str) -> dict[str, Code]:
    """Give the codes of a value set of one side by their words, without the side."""
    expansion = next(one for one in package.of_type("ValueSet") if one["id"] == value_set)["expansion"]
    found = {
        " ".join([one["system"], *_WORD.sub("", one["display"].lower()).split()]): (one["system"], one["code"])
        for one in expansion["contains"]
    }
    assert len(found) == len(expansion["contains"]), f"two codes of {value_set} read alike"
    return found


def twins(package: Package) -> dict[Code, Code]:
    """Give for each code that carries a side the one of the other side: the words are the same but for the side."""
    right, left = named(package, RIGHT), named(package, LEFT)
    pairs = [(right[words], left[words]) for words in right if words in left]
    pairs.append(((SCT, SIDES["right"]), (SCT, SIDES["left"])))
    return {one: other for pair in pairs for one, other in (pair, pair[::-1])}


class Mirror:
    """Turns a resource, a card or a RequestGroup into that of the other ankle."""

    def __init__(self, package: Package) -> None:
        self.twins = twins(package)

    def __call__(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self(one) for one in value]
        if not isinstance(value, dict):
            return other_word(value) if isinstance(value, str) else value
        made = {name: self(part) for name, part in value.items()}
        twin = self.twins.get((str(value.get("system", "")), str(value.get("code", ""))))
        return {**made, "system": twin[0], "code": twin[1]} if twin else made
