"""The functions of GitHub's expressions, status functions aside."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tutorial.github.coercion import Value, equal, folded, is_primitive, string
from tutorial.github.syntax import ExpressionError

# The names, and how few and how many arguments each takes.
ARITY = {
    "contains": (2, 2),
    "startswith": (2, 2),
    "endswith": (2, 2),
    "format": (1, 255),
    "join": (1, 2),
    "tojson": (1, 1),
    "fromjson": (1, 1),
    "hashfiles": (1, 255),
}
STATUS = ("success", "failure", "always", "cancelled")
FIELD = re.compile(r"\{\{|\}\}|\{(\d+)\}|[{}]", re.ASCII)


def call(name: str, arguments: Sequence[Value], workspace: Path | None) -> Value:
    """Return what the function gives; raises `ExpressionError`."""
    if name == "contains":
        return _contains(arguments[0], arguments[1])
    if name in ("startswith", "endswith"):
        if not all(map(is_primitive, arguments)):
            return False
        whole, part = (folded(string(argument)) for argument in arguments)
        return whole.startswith(part) if name == "startswith" else whole.endswith(part)
    if name == "format":
        return _format(string(arguments[0]), arguments[1:])
    if name == "join":
        separator = string(arguments[1]) if len(arguments) > 1 else ","
        first = arguments[0]
        if isinstance(first, Sequence) and not isinstance(first, str):
            return separator.join(map(string, first))
        return string(first) if is_primitive(first) else ""
    if name == "tojson":
        return to_json(arguments[0])
    if name == "fromjson":
        return _from_json(string(arguments[0]))
    return hash_files([string(argument) for argument in arguments], workspace)


def _contains(searched: Value, item: Value) -> bool:
    if isinstance(searched, Sequence) and not isinstance(searched, str):
        return any(
            is_primitive(one) and is_primitive(item) and equal(one, item) for one in searched
        )
    if not is_primitive(searched) or not is_primitive(item):
        return False
    return folded(string(item)) in folded(string(searched))


def _format(pattern: str, values: Sequence[Value]) -> str:
    def fill(found: re.Match[str]) -> str:
        if found[0] in ("{{", "}}"):
            return found[0][0]
        if found[1] is None:
            raise ExpressionError(f"format: a lone {found[0]!r} has to be doubled")
        if len(found[1]) > 3 or int(found[1]) >= len(values):
            raise ExpressionError(f"format: there is no value for {found[0]}")
        return string(values[int(found[1])])

    return FIELD.sub(fill, pattern)


def to_json(value: Value) -> str:
    """Return a value as JSON, two spaces a level."""

    def plain(inner: Value) -> object:
        if isinstance(inner, Mapping):
            return {key: plain(one) for key, one in inner.items()}
        if isinstance(inner, Sequence) and not isinstance(inner, str):
            return [plain(one) for one in inner]
        whole = isinstance(inner, float) and inner.is_integer() and abs(inner) < 1e15
        return int(inner) if whole and isinstance(inner, float) else inner

    try:
        return json.dumps(plain(value), indent=2, ensure_ascii=False)
    except RecursionError:
        raise ExpressionError("toJSON: the value is nested too deeply") from None


def _from_json(text: str) -> Value:
    if not text.strip():
        raise ExpressionError("fromJSON: the text is empty")
    try:
        # Every number is a double, as in GitHub's evaluator.
        read: Value = json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        raise ExpressionError(f"fromJSON: {text[:40]!r} is not JSON") from None
    return read


def hash_files(patterns: Sequence[str], workspace: Path | None) -> str:
    """Return the SHA-256 over the SHA-256 of each file that a pattern names, or the empty string."""
    if workspace is None:
        raise ExpressionError("hashFiles: there is no workspace yet")
    total = hashlib.sha256()
    found = files_in(workspace, [line for one in patterns for line in one.splitlines()])
    for path in found:
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest() if found else ""


def files_in(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Return the files below the folder that the patterns select; `!` takes files away again."""
    chosen: set[Path] = set()
    for pattern in filter(None, map(str.strip, patterns)):
        away = pattern.startswith("!")
        relative = pattern.removeprefix("!").removeprefix("./").rstrip("/") or "."
        if Path(relative).is_absolute() or ".." in Path(relative).parts:
            raise ExpressionError(f"the pattern {pattern!r} leaves the workspace")
        try:
            hits = [folder] if relative == "." else list(folder.glob(relative))
        except (ValueError, NotImplementedError, OSError):
            raise ExpressionError(f"the pattern {pattern!r} cannot be used") from None
        files = {
            file
            for hit in hits
            for file in (hit.rglob("*") if hit.is_dir() else [hit])
            if file.is_file() and ".git" not in file.relative_to(folder).parts
        }
        chosen = chosen - files if away else chosen | files
    return sorted(chosen)
