"""Values of GitHub's expressions, and how they turn into one another.

After "Evaluate expressions in workflows and actions" of GitHub's documentation, sections Literals and Operators.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Value: TypeAlias = bool | float | str | Sequence["Value"] | Mapping[str, "Value"] | None
DECIMAL = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
BASED = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+", re.ASCII)
INFINITE = {"Infinity": math.inf, "-Infinity": -math.inf}


class Filtered(list[Value]):
    """What the `*` filter selects: further property names apply to each element."""


def is_primitive(value: Value) -> bool:
    """Tell whether a value is null, a Boolean, a number or a string."""
    return value is None or isinstance(value, bool | int | float | str)


def truth(value: Value) -> bool:
    """Tell whether a value counts as true: all but false, 0, NaN, the empty string and null."""
    if isinstance(value, float) and math.isnan(value):
        return False
    return bool(value) if is_primitive(value) else True


def number(value: Value) -> float:
    """Coerce to a number: null is 0, true is 1, the empty string is 0, what is no number is NaN."""
    if value is None:
        return 0.0
    if isinstance(value, bool | int | float):
        return float(value)
    return _number_in(value.strip()) if isinstance(value, str) else math.nan


def _number_in(text: str) -> float:
    if not text:
        return 0.0
    if BASED.fullmatch(text):
        based = int(text, 0)
        return float(based) if based < 2**32 else math.nan
    if DECIMAL.fullmatch(text):
        return float(text)
    return INFINITE.get(text, math.nan)


def string(value: Value) -> str:
    """Coerce to a string: null is empty, an array is `Array`, an object is `Object`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return _number_text(float(value))
    return "Object" if isinstance(value, Mapping) else "Array"


def _number_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"  # minus zero as well
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.15G}"


def folded(text: str) -> str:
    """Return a text as it is compared: upper case, character by character."""
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in text)


def equal(left: Value, right: Value) -> bool:
    """Compare loosely: strings ignore case, unlike types become numbers, objects are the same or not."""
    if isinstance(left, str) and isinstance(right, str):
        return folded(left) == folded(right)
    if not is_primitive(left) or not is_primitive(right):
        return left is right
    if left is None and right is None:
        return True
    return number(left) == number(right)


def less(left: Value, right: Value) -> bool:
    """Tell whether left comes before right; with NaN nothing does."""
    if isinstance(left, str) and isinstance(right, str):
        return folded(left) < folded(right)
    return number(left) < number(right)
