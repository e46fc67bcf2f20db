"""Evaluate GitHub's expressions: what stands in `${{ }}` and behind `if:`."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tutorial.github import functions
from tutorial.github.coercion import Filtered, Value, equal, folded, less, number, string, truth
from tutorial.github.document import Place
from tutorial.github.syntax import (
    Binary,
    Call,
    Context,
    ExpressionError,
    Index,
    Literal,
    Not,
    Tree,
    parse,
)


class Strict(dict[str, Value]):
    """A context whose properties are all known here: to ask for another is an error."""


class Secrets(dict[str, Value]):
    """The secrets; one that is not set is empty, and is remembered as missing."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.missing: set[str] = set()


@dataclass
class Scope:
    """What an expression can ask: contexts by name, status functions, the folder of `hashFiles`."""

    contexts: Mapping[str, Value]
    status: Mapping[str, Callable[[], bool]] = field(default_factory=dict)
    workspace: Path | None = None


@dataclass(frozen=True)
class Availability:
    """What GitHub lets an expression at some key of a workflow use."""

    contexts: tuple[str, ...]
    functions: tuple[str, ...] = ()

    def check(self, tree: Tree) -> None:
        """Raise `ExpressionError` for a context or function that is unknown or not allowed there."""
        for part in walk(tree):
            if isinstance(part, Context) and part.name not in self.contexts:
                raise ExpressionError(
                    f"`{part.name}` is not available here: the contexts are "
                    f"{', '.join(self.contexts) or 'none'}"
                )
            if not isinstance(part, Call):
                continue
            known = part.name in functions.ARITY or part.name in functions.STATUS
            special = part.name == "hashfiles" or part.name in functions.STATUS
            if not known or (special and part.name not in self.functions):
                raise ExpressionError(f"the function `{part.name}` is not available here")
            few, many = functions.ARITY.get(part.name, (0, 0))
            if not few <= len(part.arguments) <= many:
                raise ExpressionError(
                    f"`{part.name}` does not take {len(part.arguments)} arguments"
                )


def walk(tree: Tree) -> Iterator[Tree]:
    """Yield a tree and all that it is made of."""
    yield tree
    match tree:
        case Index(base, key):
            yield from walk(base)
            if key is not None:
                yield from walk(key)
        case Call(_, arguments):
            for argument in arguments:
                yield from walk(argument)
        case Not(operand):
            yield from walk(operand)
        case Binary(_, left, right):
            yield from walk(left)
            yield from walk(right)


def evaluate(tree: Tree, scope: Scope) -> Value:
    """Return the value of a tree; raises `ExpressionError`, and nothing else."""
    match tree:
        case Literal(value):
            return value
        case Context(name):
            if name not in scope.contexts:
                raise ExpressionError(f"there is no context `{name}`")
            return scope.contexts[name]
        case Not(operand):
            return not truth(evaluate(operand, scope))
        case Index(base, None):
            return _all_of(evaluate(base, scope))
        case Index(base, key) if key is not None:
            return _property(evaluate(base, scope), evaluate(key, scope), base)
        case Binary(operator, left, right):
            return _binary(operator, left, right, scope)
        case Call(name, arguments):
            if name in functions.STATUS:
                if name not in scope.status:
                    raise ExpressionError(f"the function `{name}` is not available here")
                return scope.status[name]()
            few, many = functions.ARITY.get(name, (1, 0))
            if not few <= len(arguments) <= many:
                raise ExpressionError(
                    f"there is no function `{name}` of {len(arguments)} arguments"
                )
            values = [evaluate(argument, scope) for argument in arguments]
            return functions.call(name, values, scope.workspace)
    raise ExpressionError("the expression cannot be evaluated")


def _binary(operator: str, left: Tree, right: Tree, scope: Scope) -> Value:
    first = evaluate(left, scope)
    if operator == "&&":
        return evaluate(right, scope) if truth(first) else first
    if operator == "||":
        return first if truth(first) else evaluate(right, scope)
    second = evaluate(right, scope)
    match operator:
        case "==":
            return equal(first, second)
        case "!=":
            return not equal(first, second)
        case "<":
            return less(first, second)
        case ">":
            return less(second, first)
        case "<=":
            return less(first, second) or _alike(first, second)
        case _:
            return less(second, first) or _alike(first, second)


def _alike(first: Value, second: Value) -> bool:
    """Tell whether two values that are compared by order are equal."""
    if isinstance(first, str) and isinstance(second, str):
        return folded(first) == folded(second)
    return number(first) == number(second)


def _all_of(base: Value) -> Filtered:
    if isinstance(base, Mapping):
        return Filtered(base.values())
    if isinstance(base, Filtered):
        return Filtered(inner for one in base for inner in _all_of(one))
    if isinstance(base, Sequence) and not isinstance(base, str):
        return Filtered(base)
    return Filtered()


def _property(base: Value, key: Value, tree: Tree) -> Value:
    if isinstance(base, Filtered) and isinstance(key, str):
        found = (_property(one, key, tree) for one in base if isinstance(one, Mapping))
        return Filtered(one for one in found if one is not None)
    if isinstance(base, Mapping):
        return _member(base, string(key), tree) if not _is_structure(key) else None
    if isinstance(base, Sequence) and not isinstance(base, str):
        place = number(key) if not _is_structure(key) else math.nan
        if math.isfinite(place) and 0 <= place < len(base):
            return base[int(place)]
    return None


def _is_structure(value: Value) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, Sequence) and not isinstance(value, str)
    )


def _member(base: Mapping[str, Value], key: str, tree: Tree) -> Value:
    if key in base:
        return base[key]
    for name, value in base.items():
        if folded(name) == folded(key):
            return value
    if isinstance(base, Secrets):
        base.missing.add(key.upper())
    if isinstance(base, Strict):
        context = tree.name if isinstance(tree, Context) else "the context"
        raise ExpressionError(f"the rehearsal does not know `{context}.{key}`")
    return None


@dataclass(frozen=True)
class Expression:
    """An expression and its place."""

    tree: Tree
    place: Place

    def value(self, scope: Scope) -> Value:
        """Return the value; `WorkflowError` names the place."""
        try:
            return evaluate(self.tree, scope)
        except ExpressionError as error:
            raise self.place.error(f"{error}.") from None
        except (OSError, RecursionError) as error:
            raise self.place.error(f"the expression cannot be evaluated: {error}.") from None


@dataclass(frozen=True)
class Template:
    """A text with `${{ }}` in it."""

    parts: tuple[str | Expression, ...]
    source: str
    place: Place

    def value(self, scope: Scope) -> Value:
        """Return the value: that of the expression where it is all there is, else a string."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Expression):
            return self.parts[0].value(scope)
        return self.text(scope)

    def text(self, scope: Scope) -> str:
        """Return the string, every expression replaced."""
        return "".join(
            part if isinstance(part, str) else string(part.value(scope)) for part in self.parts
        )

    @property
    def is_plain(self) -> bool:
        """Tell whether there is no expression in it."""
        return not any(isinstance(part, Expression) for part in self.parts)


def compile_expression(text: str, place: Place, available: Availability) -> Expression:
    """Return the expression; `WorkflowError` where it cannot be read or asks what it may not."""
    try:
        tree = parse(text)
        available.check(tree)
    except ExpressionError as error:
        raise place.error(f"in the expression `{text.strip()[:80]}`: {error}.") from None
    return Expression(tree, place)


def compile_template(text: str, place: Place, available: Availability) -> Template:
    """Return the template; `WorkflowError` names the line of the expression that is wrong."""
    parts: list[str | Expression] = []
    rest, line = text, place.line
    while (start := rest.find("${{")) >= 0:
        if start:
            parts.append(rest[:start])
        line += rest[:start].count("\n")
        end = _end(rest, start + 3)
        here = Place(place.file, line)
        if end < 0:
            raise here.error("`${{` has no `}}`.")
        parts.append(compile_expression(rest[start + 3 : end], here, available))
        line += rest[start : end + 2].count("\n")
        rest = rest[end + 2 :]
    if rest or not parts:
        parts.append(rest)
    return Template(tuple(parts), text, place)


def _end(text: str, start: int) -> int:
    """Return where `}}` is, outside a string; -1 if it is nowhere."""
    quoted = False
    for index in range(start, len(text) - 1):
        if text[index] == "'":
            quoted = not quoted
        elif not quoted and text.startswith("}}", index):
            return index
    return -1


def compile_condition(text: str, place: Place, available: Availability) -> Expression:
    """Return the expression behind an `if:`, with `success()` in front where it asks for no status."""
    stripped = text.strip()
    if stripped.startswith("${{") and _end(stripped, 3) == len(stripped) - 2:
        stripped = stripped[3:-2]
    elif "${{" in stripped:
        raise place.error(
            "`if` mixes text with `${{ }}`, which is always true: write the whole condition without."
        )
    expression = compile_expression(stripped, place, available)
    if any(isinstance(p, Call) and p.name in functions.STATUS for p in walk(expression.tree)):
        return expression
    return Expression(Binary("&&", Call("success", ()), expression.tree), place)
