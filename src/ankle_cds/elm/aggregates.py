"""Aggregate functions; nulls in the source are left out.

https://cql.hl7.org/09-b-cqlreference.html#aggregate-functions
"""

from __future__ import annotations

from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

from ankle_cds.elm import arithmetic
from ankle_cds.elm.comparison import compare, equal
from ankle_cds.elm.conversions import to_decimal
from ankle_cds.elm.faults import EvaluationError
from ankle_cds.elm.quantity import WIDE, fit
from ankle_cds.elm.registry import function
from ankle_cds.elm.values import Quantity

if TYPE_CHECKING:
    from collections.abc import Callable


def _aggregate(name: str, empty: Any = None) -> Callable[[Callable[[list[Any]], Any]], Callable[[Any], Any]]:
    """Register a function of the non-null elements; `empty` is its result when there are none."""

    def register(implementation: Callable[[list[Any]], Any]) -> Callable[[Any], Any]:
        def run(source: Any) -> Any:
            items = [item for item in source or () if item is not None]
            return implementation(items) if items else empty

        function(name, operands=("source",), nulls="passed")(run)
        return run

    return register


@_aggregate("Count", 0)
def count(items: list[Any]) -> int:
    """Count the elements."""
    return len(items)


@_aggregate("AllTrue", True)
def all_true(items: list[Any]) -> bool:
    """Tell whether all are true."""
    return all(item is True for item in items)


@_aggregate("AnyTrue", False)
def any_true(items: list[Any]) -> bool:
    """Tell whether any is true."""
    return any(item is True for item in items)


@_aggregate("Sum")
def total(items: list[Any]) -> Any:
    """Add up numbers or quantities."""
    return reduce(lambda a, b: None if a is None else arithmetic.add(a, b), items)


@_aggregate("Product")
def product(items: list[Any]) -> Any:
    """Multiply numbers or quantities."""
    return reduce(lambda a, b: None if a is None else arithmetic.multiply(a, b), items)


def _select(items: list[Any], sign: int) -> Any:
    chosen, certain = items[0], True
    for item in items[1:]:
        found = compare(item, chosen)
        certain = certain and found is not None
        if found == sign:
            chosen = item
    if certain:
        return chosen
    # less precise values: the extreme is known only when one value is certainly not passed by any other
    return next((item for item in items if all(compare(other, item) in (0, -sign) for other in items)), None)


@_aggregate("Max")
def maximum(items: list[Any]) -> Any:
    """Give the greatest; null when imprecision hides which it is."""
    return _select(items, 1)


@_aggregate("Min")
def minimum(items: list[Any]) -> Any:
    """Give the smallest; null when imprecision hides which it is."""
    return _select(items, -1)


def _numbers(items: list[Any]) -> tuple[list[Decimal], str | None]:
    """Give the magnitudes as Decimals and the unit they share; raise when they do not share one."""
    units = {item.unit if isinstance(item, Quantity) else None for item in items}
    if len(units) > 1:
        raise EvaluationError("Statistics need quantities of one unit; convert them first.")
    return [item.value if isinstance(item, Quantity) else to_decimal(item) for item in items], units.pop()


def _result(value: Decimal, unit: str | None) -> Any:
    fitted = fit(value)
    return fitted if unit is None or fitted is None else Quantity(fitted, unit)


def _mean(numbers: list[Decimal]) -> Decimal:
    return WIDE.divide(reduce(WIDE.add, numbers), Decimal(len(numbers)))


@_aggregate("Avg")
def average(items: list[Any]) -> Any:
    """Give the mean."""
    numbers, unit = _numbers(items)
    return _result(_mean(numbers), unit)


@_aggregate("Median")
def median(items: list[Any]) -> Any:
    """Give the middle value, or the mean of the two middle ones."""
    numbers, unit = _numbers(items)
    numbers.sort()
    middle = len(numbers) // 2
    return _result(numbers[middle] if len(numbers) % 2 else _mean(numbers[middle - 1 : middle + 1]), unit)


@_aggregate("Mode")
def mode(items: list[Any]) -> Any:
    """Give the most frequent value; the first of them when several are."""
    counts: list[tuple[Any, int]] = []
    for item in items:
        for index, (value, times) in enumerate(counts):
            if equal(value, item):
                counts[index] = (value, times + 1)
                break
        else:
            counts.append((item, 1))
    return max(counts, key=lambda counted: counted[1])[0]


def _variance(items: list[Any], lost: int) -> tuple[Decimal | None, str | None]:
    numbers, unit = _numbers(items)
    if len(numbers) <= lost:
        return None, unit
    mean = _mean(numbers)
    squares = [WIDE.power(WIDE.subtract(number, mean), Decimal(2)) for number in numbers]
    return WIDE.divide(reduce(WIDE.add, squares), Decimal(len(numbers) - lost)), unit


def _spread(items: list[Any], lost: int, *, root: bool) -> Any:
    value, unit = _variance(items, lost)
    if value is None:
        return None
    return _result(value.sqrt(WIDE) if root else value, unit)


@_aggregate("Variance")
def variance(items: list[Any]) -> Any:
    """Give the sample variance; null for a single value."""
    return _spread(items, 1, root=False)


@_aggregate("PopulationVariance")
def population_variance(items: list[Any]) -> Any:
    """Give the population variance."""
    return _spread(items, 0, root=False)


@_aggregate("StdDev")
def standard_deviation(items: list[Any]) -> Any:
    """Give the sample standard deviation; null for a single value."""
    return _spread(items, 1, root=True)


@_aggregate("PopulationStdDev")
def population_standard_deviation(items: list[Any]) -> Any:
    """Give the population standard deviation."""
    return _spread(items, 0, root=True)


@_aggregate("GeometricMean")
def geometric_mean(items: list[Any]) -> Any:
    """Give the n-th root of the product; null when a value is not positive."""
    numbers, unit = _numbers(items)
    if min(numbers) <= 0:
        return None
    logarithms = [number.ln(WIDE) for number in numbers]
    return _result(_mean(logarithms).exp(WIDE), unit)
