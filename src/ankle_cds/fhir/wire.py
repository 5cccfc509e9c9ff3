"""Strict JSON: one reading of every text, or a refusal.

Python's own decoder accepts repeated names (the last wins), NaN, lone surrogates and any depth it can recurse into; two
programs that read such a body would see two different patients. https://www.rfc-editor.org/rfc/rfc8259
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NoReturn

from ankle_cds.errors import ContentError, RequestError, RequestFault

if TYPE_CHECKING:
    from pathlib import Path

_RFC = "https://www.rfc-editor.org/rfc/rfc8259"
_MAX_NUMBER = 40  # characters; FHIR decimals have at most 18 digits, CQL decimals at most 28
_MAX_EXPONENT = 28  # powers of ten; CQL decimals go to 10^20: https://cql.hl7.org/09-b-cqlreference.html#decimal
_FILE_DEPTH = 512  # translated logic nests much deeper than a resource, but stays below Python's own limit

_STEPS = bytes.maketrans(b"{}[]", b"\x01\xff\x01\xff")  # as signed bytes: one deeper, one less deep
_BLOCK = 4_096  # brackets whose depths are held at once
_NOT_SYNTAX = bytes(byte for byte in range(256) if byte not in b'{}[]"')
_SURROGATE_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_FORBIDDEN_ESCAPE = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")


class _RefusedError(ValueError):
    """The text has no single reading; `fault` says why. Never holds any of the text."""

    def __init__(self, fault: RequestFault) -> None:
        super().__init__(fault.value.text)
        self.fault = fault


def read_json(data: bytes, *, max_depth: int = 64) -> Any:
    """Decode a JSON text that came over the wire; decimals come back as `Decimal`, whole numbers as `int`.

    Refused with a RequestError: not JSON, not UTF-8, a byte order mark, NaN or Infinity, a number out of the range of
    CQL decimals, a lone surrogate, NUL (NOT_JSON); a name given twice in one object (DUPLICATE_NAME); more than
    `max_depth` objects and arrays inside one another (TOO_DEEP). The error holds nothing of the text.
    """
    try:
        return _decode(data, max_depth)
    except _RefusedError as refusal:
        raise RequestError(refusal.fault, spec=_RFC) from None


def read_json_file(path: Path, *, max_depth: int = _FILE_DEPTH) -> Any:
    """Decode a JSON file of our own with the same strictness; raise ContentError naming the file."""
    try:
        return _decode(path.read_bytes(), max_depth)
    except OSError as error:
        raise ContentError(f"Cannot read the file ({error.strerror}); check that it exists.", where=str(path)) from None
    except _RefusedError as refusal:
        raise ContentError(f"{refusal} Write it as plain JSON.", where=str(path), spec=_RFC) from None


def write_json(value: Any, *, indent: int | None = None) -> bytes:
    """Write JSON as UTF-8, members in the order they have, decimals in their shortest form; raise ValueError on NaN."""
    separators = (",", ": ") if indent else (",", ":")
    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators, default=_write_decimal
    )
    return text.encode()


def canonical_json(value: Any) -> bytes:
    """Write JSON sorted by name and without spaces: equal values give equal bytes, so that hashes of them compare."""
    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"), default=_write_decimal
    )
    return text.encode()


def _decode(data: bytes, max_depth: int) -> Any:
    _refuse_deep(data, max_depth)
    try:
        text = data.decode()
        if "\\u" in text:
            _refuse_escapes(text)
        return _DECODER.decode(text)
    except _RefusedError:
        raise
    except (ValueError, RecursionError):  # includes UnicodeDecodeError and JSONDecodeError, which quotes the text
        raise _RefusedError(RequestFault.NOT_JSON) from None


def _refuse_deep(data: bytes, max_depth: int) -> None:
    """Measure the nesting without recursion, in one pass, and no further than to the first bracket that is too deep."""
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two quotes that meet leave everything else inside or outside a string as it was: most strings hold no bracket.
    bare = data.translate(None, _NOT_SYNTAX).replace(b'""', b"")
    brackets = b"".join(bare.split(b'"')[::2])
    if len(brackets) <= max_depth:
        return
    steps = memoryview(brackets.translate(_STEPS)).cast("b")
    depth = 0
    for start in range(0, len(steps), _BLOCK):
        depths = list(accumulate(steps[start : start + _BLOCK], initial=depth))
        if max(depths) > max_depth:
            raise _RefusedError(RequestFault.TOO_DEEP)
        depth = depths[-1]


def _refuse_escapes(text: str) -> None:
    escapes = text.replace("\\\\", "")
    if _FORBIDDEN_ESCAPE.search(_SURROGATE_PAIR.sub("", escapes)):
        raise _RefusedError(RequestFault.NOT_JSON)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RefusedError(RequestFault.DUPLICATE_NAME)
    return members


def _integer(digits: str) -> int:
    if len(digits) > _MAX_NUMBER:
        raise _RefusedError(RequestFault.NOT_JSON)
    return int(digits)


def _decimal(digits: str) -> Decimal:
    try:
        number = Decimal(digits) if len(digits) <= _MAX_NUMBER else None
    except InvalidOperation:  # an exponent that not even a Decimal can hold
        number = None
    if number is None or abs(number.adjusted()) > _MAX_EXPONENT:
        raise _RefusedError(RequestFault.NOT_JSON)
    return number


def _constant(_name: str) -> NoReturn:
    raise _RefusedError(RequestFault.NOT_JSON)


def _write_decimal(value: object) -> float | int:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else float(value)
    raise TypeError(f"{type(value).__name__} is not a JSON type.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_decimal, parse_constant=_constant
)
