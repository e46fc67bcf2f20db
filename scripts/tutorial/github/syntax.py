"""GitHub's expression language: from text to a tree."""

import re
from dataclasses import dataclass

from tutorial.github.coercion import Value, number

LONGEST = 21_000  # characters; GitHub's own limit
DEEPEST = 50  # levels; GitHub's own limit
TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')"
    r"|(?P<number>[-+]?(?:0x[0-9a-fA-F]+|0o[0-7]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.]))"
    r"|(?P<infinite>-?Infinity\b|NaN\b)"
    r"|(?P<name>[A-Za-z_][\w-]*)"
    r"|(?P<sign>&&|\|\||==|!=|<=|>=|[!<>()\[\],.*]))",
    re.ASCII,
)
LITERALS: dict[str, Value] = {"true": True, "false": False, "null": None}
LEVELS = (("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="))  # from loose to tight


class ExpressionError(ValueError):
    """An expression that cannot be read or evaluated; the message has no place yet."""


@dataclass(frozen=True)
class Literal:
    """A value that stands in the text."""

    value: Value


@dataclass(frozen=True)
class Context:
    """A named value, such as `github`."""

    name: str


@dataclass(frozen=True)
class Index:
    """`base.key` or `base[key]`; a key of None is the filter `*`."""

    base: "Tree"
    key: "Tree | None"


@dataclass(frozen=True)
class Call:
    """A function and its arguments."""

    name: str
    arguments: tuple["Tree", ...]


@dataclass(frozen=True)
class Not:
    """The opposite of a value's truth."""

    operand: "Tree"


@dataclass(frozen=True)
class Binary:
    """Two operands and what is between them."""

    operator: str
    left: "Tree"
    right: "Tree"


Tree = Literal | Context | Index | Call | Not | Binary


def parse(text: str) -> Tree:
    """Return the tree of an expression; raises `ExpressionError`."""
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression has at most {LONGEST} characters")
    parser = _Parser(_tokens(text))
    tree = parser.binary(0)
    if parser.kind != "end":
        raise ExpressionError(f"{parser.token!r} is not expected there")
    return tree


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        found = TOKEN.match(text, place)
        if not found or not found.lastgroup:
            rest = text[place:].strip()
            if rest.startswith("'"):
                raise ExpressionError(f"the string {rest[:20]} does not end")
            if rest.startswith('"'):
                raise ExpressionError("strings stand in single quotes")
            raise ExpressionError(f"{rest[:20]!r} cannot be read")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        place = found.end()
    return [*tokens, ("end", "the end")]


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.depth = 0

    @property
    def kind(self) -> str:
        return self.tokens[0][0]

    @property
    def token(self) -> str:
        return self.tokens[0][1]

    def sign(self, *signs: str) -> str | None:
        """Take one of the signs if it comes next."""
        if self.kind == "sign" and self.token in signs:
            return self.tokens.pop(0)[1]
        return None

    def expect(self, sign: str) -> None:
        if not self.sign(sign):
            raise ExpressionError(f"{sign!r} is expected before {self.token!r}")

    def binary(self, level: int) -> Tree:
        if level == len(LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        length = 0
        while operator := self.sign(*LEVELS[level]):
            length += 1
            self.limit(length)
            left = Binary(operator, left, self.binary(level + 1))
        return left

    def limit(self, depth: int) -> None:
        if depth > DEEPEST:
            raise ExpressionError(f"an expression has at most {DEEPEST} levels")

    def unary(self) -> Tree:
        self.depth += 1
        self.limit(self.depth)
        tree: Tree = Not(self.unary()) if self.sign("!") else self.indexed(self.primary())
        self.depth -= 1
        return tree

    def indexed(self, tree: Tree) -> Tree:
        length = 0
        while sign := self.sign(".", "["):
            length += 1
            self.limit(length)
            if self.sign("*"):
                tree = Index(tree, None)
            elif sign == "[":
                tree = Index(tree, self.binary(0))
            elif self.kind == "name":
                tree = Index(tree, Literal(self.tokens.pop(0)[1]))
            else:
                raise ExpressionError(f"a property's name is expected before {self.token!r}")
            if sign == "[":
                self.expect("]")
        return tree

    def primary(self) -> Tree:
        if self.sign("("):
            tree = self.binary(0)
            self.expect(")")
            return tree
        kind, token = self.tokens[0]
        if kind in ("end", "sign"):
            raise ExpressionError(f"a value is expected before {token!r}")
        self.tokens.pop(0)
        if kind == "string":
            return Literal(token[1:-1].replace("''", "'"))
        if kind == "number":
            return Literal(number(token))
        if kind == "infinite":
            return Literal(number(token))  # `NaN` is no number, hence NaN
        if token in LITERALS:
            return Literal(LITERALS[token])
        return self.call(token) if self.sign("(") else Context(token.lower())

    def call(self, name: str) -> Tree:
        arguments: list[Tree] = []
        if not self.sign(")"):
            arguments.append(self.binary(0))
            while self.sign(","):
                arguments.append(self.binary(0))
            self.expect(")")
        return Call(name.lower(), tuple(arguments))
