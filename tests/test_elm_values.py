"""Dates with precision and offset, durations, quantities with units, intervals, and the plain JSON of each."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ankle_cds.elm import (
    Code,
    Concept,
    Date,
    DateTime,
    EvaluationError,
    Interval,
    Quantity,
    Ratio,
    Time,
    Uncertainty,
    arithmetic,
    comparison,
    durations,
    intervals,
    quantity,
    temporal,
    to_json,
    ucum,
)
from ankle_cds.elm.values import Long


def q(value: str, unit: str) -> Quantity:
    return Quantity(Decimal(value), unit)


# ------------------------------------------------------------------ dates and times


@pytest.mark.parametrize(
    ("a", "b", "order"),
    [
        (Date(2026, 1, 1), Date(2026, 1, 2), -1),
        (Date(2026), Date(2026, 1), None),
        (Date(2025), Date(2026, 1), -1),
        (DateTime(2026, 1, 1, 10, 0, 5), DateTime(2026, 1, 1, 10, 0, 5, 0), 0),
        (DateTime(2026, 1, 1, 10, 0, 5), DateTime(2026, 1, 1, 10, 0, 5, 1), -1),
        (DateTime(2026, 1, 1, 10), DateTime(2026, 1, 1, 10, 0), None),
        (Date(2026, 1, 1), DateTime(2026, 1, 1, 0, 0), None),
        (Time(9), Time(10, 30), -1),
    ],
)
def test_order_is_unknown_where_a_precision_is_missing(a: Any, b: Any, order: int | None) -> None:
    assert temporal.order(a, b) == order
    assert temporal.order(b, a) == (None if order is None else -order)


def test_offsets_are_normalised_to_the_evaluation_for_hours_but_not_for_days() -> None:
    evening = DateTime(2026, 1, 1, 23, 30, 0, 0, offset=-300, home=0)
    morning = DateTime(2026, 1, 2, 4, 30, 0, 0, offset=0, home=0)
    assert temporal.order(evening, morning) == 0
    assert temporal.order_to(evening, morning, "hour") == 0
    assert temporal.order_to(evening, morning, "day") == -1


def test_a_precision_nobody_has_is_unknown() -> None:
    assert temporal.order_to(Date(2026), Date(2026), "day") is None
    assert temporal.order_to(DateTime(2026, 1, 1, 1, 1, 1), DateTime(2026, 1, 1, 1, 1, 1), "millisecond") is None


@pytest.mark.parametrize(
    "text",
    [
        "2026-13",
        "2026-02-30",
        "2026-1-1",
        "26",
        "",
        "2026-01-01T25:00Z",
        "2026-01-01T10:00+15:00",
        "now",
        "\uff12\uff10\uff12\uff16",
    ],
)
def test_what_is_no_date_is_not_read(text: str) -> None:
    assert temporal.parse_datetime(text, 0) is None


@pytest.mark.parametrize(
    "text", ["2026", "2026-05", "2026-05-17", "2026-05-17T08:09:10+02:00", "2026-05-17T08:09:10.123-07:30"]
)
def test_a_date_is_written_as_it_was_read(text: str) -> None:
    assert str(temporal.parse_datetime(text, 0)) == text


@given(st.datetimes().filter(lambda value: 1 < value.year < 9999))
def test_every_instant_is_ordered_as_python_orders_it(value: Any) -> None:
    parts = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond // 1000)
    here, there = DateTime(*parts, home=0), DateTime(*parts, offset=60, home=0)
    assert temporal.order(here, there) == 1
    assert temporal.order(here, DateTime(*parts, home=0)) == 0


@pytest.mark.parametrize(
    ("value", "amount", "unit", "result"),
    [
        (Date(2024, 1, 31), "1", "month", Date(2024, 2, 29)),
        (Date(2024, 2, 29), "1", "year", Date(2025, 2, 28)),
        (Date(2024, 2, 29), "-12", "months", Date(2023, 2, 28)),
        (Date(2024, 3, 1), "-1", "d", Date(2024, 2, 29)),
        (Date(2024), "23", "months", Date(2025)),
        (Date(2024), "-23", "months", Date(2023)),
        (Date(2024, 3, 1), "1.9", "weeks", Date(2024, 3, 8)),
        (DateTime(2024, 12, 31, 23, 59, 59, 999), "1", "ms", DateTime(2025, 1, 1, 0, 0, 0, 0)),
        (DateTime(2024, 1, 1, 0, 0, 0, 0), "1.5", "seconds", DateTime(2024, 1, 1, 0, 0, 1, 500)),
        (DateTime(2024, 1, 1), "49", "hours", DateTime(2024, 1, 3)),
        (Date(9999, 12, 31), "1", "day", None),
        (Date(1, 1, 1), "-1", "year", None),
    ],
)
def test_a_duration_is_added_by_the_calendar(value: Any, amount: str, unit: str, result: Any) -> None:
    assert durations.add(value, q(amount, unit)) == result


@pytest.mark.parametrize(
    ("value", "unit"), [(Date(2024, 1, 1), "hours"), (Date(2024, 1, 1), "a"), (Time(1), "days"), (Date(2024), "mg")]
)
def test_a_duration_that_does_not_fit_is_an_error(value: Any, unit: str) -> None:
    with pytest.raises(EvaluationError):
        durations.add(value, q("1", unit))


@pytest.mark.parametrize(
    ("a", "b", "unit", "whole", "crossed"),
    [
        (Date(2024, 1, 31), Date(2024, 2, 29), "month", 0, 1),
        (Date(2008, 2, 29), Date(2026, 2, 28), "year", 17, 18),
        (Date(2008, 2, 29), Date(2026, 3, 1), "year", 18, 18),
        (Date(2026, 3, 7), Date(2026, 3, 8), "week", 0, 1),
        (Date(2026, 3, 8), Date(2026, 3, 7), "day", -1, -1),
        (DateTime(2026, 1, 1, 23, 0, 0, 0), DateTime(2026, 1, 2, 22, 0, 0, 0), "day", 0, 1),
        (Date(2024), Date(2026), "year", Uncertainty(1, 2), 2),
        (Date(2024, 5), Date(2024, 7, 1), "day", Uncertainty(31, 61), Uncertainty(31, 61)),
    ],
)
def test_durations_count_whole_periods_and_differences_boundaries(
    a: Any, b: Any, unit: str, whole: Any, crossed: Any
) -> None:
    assert durations.between(a, b, unit, boundaries=False) == whole
    assert durations.between(a, b, unit, boundaries=True) == crossed


# ------------------------------------------------------------------ quantities


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (q("1", "g"), q("1000", "mg")),
        (q("1", "L"), q("1", "dm3")),
        (q("180", "mg/dL"), q("1.8", "g/L")),
        (q("120", "mm[Hg]"), q("15.99864", "kPa")),
        (q("1", "[in_i]"), q("2.54", "cm")),
        (q("60", "mL/min/{1.73_m2}"), q("1", "mL/s")),
        (q("50", "%"), q("0.5", "1")),
        (q("3", "{score}"), q("3", "1")),
        (q("2", "weeks"), q("14", "d")),
        (q("1", "year"), q("12", "months")),
        (q("5", "10*3/uL"), q("5", "10*9/L")),
    ],
)
def test_units_of_one_dimension_convert(a: Quantity, b: Quantity) -> None:
    assert comparison.equal(a, b) is True


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (q("1", "g"), q("1", "mL")),
        (q("1", "cm"), q("1", "cm2")),
        (q("37", "Cel"), q("310.15", "K")),
        (q("1", "year"), q("1", "a")),
        (q("1", "month"), q("30", "days")),
        (q("1", "mmol/L"), q("1", "/L")),
        (q("1", "furlong"), q("1", "m")),
        (q("1", "furlong"), q("1", "furlongs")),
    ],
)
def test_units_of_different_dimensions_are_unknown_never_false(a: Quantity, b: Quantity) -> None:
    assert comparison.equal(a, b) is None
    assert comparison.less(a, b) is None


def test_an_unread_unit_compares_with_itself() -> None:
    assert comparison.less(q("1", "furlong"), q("2", "furlong")) is True
    assert ucum.ratio("furlong", "furlong") == 1


@pytest.mark.parametrize("unit", ["mg//dL", "(mg", "mg)", "m[", "{", "g^2", "kd", "mg dL", "1e3"])
def test_what_is_no_unit_is_not_read(unit: str) -> None:
    assert ucum.ratio(unit, "1") is None


def test_calendar_years_are_equivalent_to_definite_ones() -> None:
    assert comparison.equivalent(q("1", "year"), q("1", "a"))
    assert comparison.equivalent(q("1", "month"), q("30", "days"))
    assert not comparison.equivalent(q("1", "month"), q("31", "days"))


def test_quantities_add_in_the_finer_unit_and_multiply_with_their_units() -> None:
    assert quantity.add(q("1", "m"), q("5", "cm")) == q("105", "cm")
    assert quantity.multiply(q("2", "cm"), q("3", "cm")) == q("6", "cm2")
    assert quantity.divide(q("6", "g"), q("2", "mL")) == q("3", "g/mL")
    assert quantity.divide(q("6", "g"), q("0", "g")) is None
    assert quantity.add(q("1", "m"), q("1", "g")) is None


# ------------------------------------------------------------------ numbers


def test_what_cannot_be_represented_is_null() -> None:
    assert arithmetic.add(2**31 - 1, 1) is None
    assert arithmetic.multiply(Long(2**62), Long(2)) is None
    assert arithmetic.divide(Decimal(1), Decimal(0)) is None
    assert arithmetic.power(10, 10**9) is None


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1).filter(bool))
def test_division_and_remainder_give_the_dividend_back(a: int, b: int) -> None:
    whole, rest = arithmetic.truncated_divide(a, b), arithmetic.modulo(a, b)
    if whole is not None:
        assert whole * b + rest == a


@given(st.decimals(-(10**8), 10**8, places=8), st.decimals(-(10**8), 10**8, places=8))
def test_decimal_addition_is_exact(a: Decimal, b: Decimal) -> None:
    assert arithmetic.subtract(arithmetic.add(a, b), b) == a


def test_a_type_without_arithmetic_is_an_error() -> None:
    for wrong in (True, "1", None.__class__):
        with pytest.raises(EvaluationError):
            arithmetic.add(wrong, 1)


def test_values_of_different_kinds_have_no_order() -> None:
    for a, b in ((1, "1"), (True, 1), (Date(2026), Time(10)), (q("1", "g"), 1)):
        with pytest.raises((EvaluationError, TypeError)):
            comparison.less(a, b)


# ------------------------------------------------------------------ intervals


def test_an_unknown_boundary_decides_only_what_it_can() -> None:
    open_end = Interval(5, None, high_closed=False, point="Integer")
    assert intervals.contains_point(open_end, 4) is False
    assert intervals.contains_point(open_end, 6) is None
    assert intervals.before(Interval(1, 4), open_end) is True
    assert intervals.overlaps(Interval(1, 5), open_end) is True
    assert intervals.overlaps(Interval(8, 9), open_end) is None


def test_a_closed_null_boundary_reaches_to_the_end_of_the_type() -> None:
    forever = Interval(5, None, point="Integer")
    assert intervals.contains_point(forever, 2**31 - 1) is True
    assert intervals.end(forever) == 2**31 - 1
    assert intervals.includes_interval(forever, Interval(8, 9)) is True


@given(*[st.integers(-50, 50)] * 4)
def test_overlap_is_what_sets_say(a: int, b: int, c: int, d: int) -> None:
    left, right = Interval(min(a, b), max(a, b)), Interval(min(c, d), max(c, d))
    points = set(range(left.low, left.high + 1)), set(range(right.low, right.high + 1))
    assert intervals.overlaps(left, right) is bool(points[0] & points[1])
    assert intervals.includes_interval(left, right) is (points[0] >= points[1])
    assert intervals.before(left, right) is (max(points[0]) < min(points[1]))
    shared = intervals.intersect(left, right)
    assert (set() if shared is None else set(range(shared.low, shared.high + 1))) == points[0] & points[1]


# ------------------------------------------------------------------ plain JSON


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (None, None),
        (True, True),
        (Long(5), 5),
        (Decimal("1.50"), 1.5),
        (Decimal("2.0"), 2),
        (Date(2026, 1), "2026-01"),
        (DateTime(2026, 1, 2, 3, offset=-300), "2026-01-02T03-05:00"),
        (Time(9, 30), "T09:30"),
        (q("1.5", "mg"), {"value": 1.5, "unit": "mg"}),
        (Code("a", "http://s"), {"code": "a", "system": "http://s"}),
        (Concept((Code("a"),), "A"), {"codes": [{"code": "a"}], "display": "A"}),
        (Interval(1, None), {"low": 1, "lowClosed": True, "high": None, "highClosed": True}),
        (Uncertainty(1, 2), {"low": 1, "high": 2, "uncertain": True}),
        (
            Ratio(q("1", "1"), q("2", "1")),
            {"numerator": {"value": 1, "unit": "1"}, "denominator": {"value": 2, "unit": "1"}},
        ),
        ([Date(2026), {"x": None}], ["2026", {"x": None}]),
    ],
)
def test_every_value_has_a_plain_json_form(value: Any, json: Any) -> None:
    assert to_json(value) == json


def test_what_is_no_cql_value_has_none() -> None:
    with pytest.raises(TypeError):
        to_json(object())
