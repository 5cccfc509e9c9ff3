"""Built artifacts cannot be changed: every request reads the same ones."""

from __future__ import annotations

from typing import Any, NoReturn


def freeze(value: Any) -> Any:
    """Give a copy of a JSON value in which no object and no list can be changed; still `dict` and `list` to readers.

    What is frozen already is given as it is, so that what many artifacts share is held once.
    """
    if isinstance(value, (_FrozenDict, _FrozenList)):
        return value
    if isinstance(value, dict):
        return _FrozenDict((name, freeze(item)) for name, item in value.items())
    if isinstance(value, list):
        return _FrozenList(freeze(item) for item in value)
    return value


def _refuse(*_: object, **__: object) -> NoReturn:
    raise TypeError("An artifact is never changed after it was built; change a copy (copy.deepcopy).")


class _FrozenDict(dict[str, Any]):
    """An object that refuses changes; `copy.deepcopy` gives a plain dict."""

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __deepcopy__(self, _memo: dict[int, Any]) -> dict[str, Any]:
        return {name: _thaw(item) for name, item in self.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


class _FrozenList(list[Any]):
    """An array that refuses changes; `copy.deepcopy` gives a plain list."""

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = extend = insert = pop = remove = clear = sort = reverse = _refuse

    def __deepcopy__(self, _memo: dict[int, Any]) -> list[Any]:
        return [_thaw(item) for item in self]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)


def _thaw(value: Any) -> Any:
    return value.__deepcopy__({}) if isinstance(value, (_FrozenDict, _FrozenList)) else value
