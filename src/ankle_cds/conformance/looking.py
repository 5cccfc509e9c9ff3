"""What a check is: a function that makes calls, looks at what comes back, and says of each thing whether it is right.

Every public function defined in a module of `checks` is a check; being there is all it takes. Its docstring is the
claim. It takes the `Subject` and yields a `Look` for everything it looked at, so that nothing passes unseen: a check
that yields nothing has shown nothing. Where there is nothing to look at it says why, with one of two errors.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ankle_cds.conformance.subject import Subject


_ODD = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading an answer of another form than was expected ends in; the check of that form tells it."""


class NotSeenError(Exception):
    """Nothing came back that the check could look at; says what would have to come."""


class NotUsedError(Exception):
    """The service makes no use of what the rule is about, which the specification leaves it free to do."""


@dataclass(frozen=True, slots=True)
class Look:
    """One thing looked at: where it stands, and what is wrong with it (None when nothing is).

    Neither quotes anything that was sent or received besides names of the specification and of templates.
    """

    where: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class Check:
    """A named check and its claim."""

    name: str
    what: str
    function: Callable[[Subject], Iterable[Look]]


@dataclass(frozen=True, slots=True)
class Found:
    """What one check found: its looks, or why there are none; `unused` where the service is free to do without."""

    check: Check
    looks: tuple[Look, ...] = ()
    reason: str = ""
    unused: bool = False

    @property
    def problems(self) -> tuple[Look, ...]:
        """What is wrong."""
        return tuple(look for look in self.looks if look.problem is not None)


def look(where: str, ok: object, problem: str) -> Look:
    """Say of one thing whether it is right; `problem` is what to tell when it is not."""
    return Look(where, None if ok else problem)


def all_checks() -> Mapping[str, Check]:
    """Find every check, by name."""
    package = importlib.import_module("ankle_cds.conformance.checks")
    modules = [
        importlib.import_module(f"{package.__name__}.{one.name}") for one in pkgutil.iter_modules(package.__path__)
    ]
    return {check.name: check for module in modules for check in _of_module(module)}


def examine(check: Check, subject: Subject) -> Found:
    """Run one check; where it stumbles over the form of an answer, that is neither for nor against the service."""
    try:
        looks = tuple(check.function(subject))
    except _ODD as error:
        return Found(check, reason=f"an answer has a form that the check cannot read ({type(error).__name__})")
    except NotUsedError as error:
        if not subject.entries:
            return Found(check, reason="discovery lists no service")
        return Found(check, reason=str(error), unused=True)
    except NotSeenError as error:
        return Found(check, reason=str(error))
    return Found(check, looks, "" if looks else "nothing of this kind came back")


def _of_module(module: Any) -> Iterable[Check]:
    for name, function in vars(module).items():
        if not name.startswith("_") and callable(function) and getattr(function, "__module__", "") == module.__name__:
            if isinstance(function, type):
                continue
            yield Check(name, (function.__doc__ or "").strip().split("\n", 1)[0], function)
