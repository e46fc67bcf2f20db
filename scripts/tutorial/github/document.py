"""A workflow file as YAML nodes that know their line."""

import re
from collections.abc import Collection
from dataclasses import dataclass

import yaml

from tutorial.errors import TutorialError
from tutorial.github.coercion import Value

OPENING = (
    *(yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken),
    *(yaml.BlockSequenceStartToken, yaml.BlockMappingStartToken),
)
CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)
DEEPEST = 50  # levels
LARGEST = 512 * 1024  # bytes; GitHub reads no larger workflow
NUMBER = re.compile(r"[-+]?(?:0o[0-7]+|0x[0-9a-fA-F]+|(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?)")
NULL = ("", "~", "null", "Null", "NULL")
TRUE, FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")


class WorkflowError(TutorialError):
    """A workflow file that cannot be run. The message begins with FILE:LINE."""


@dataclass(frozen=True)
class Place:
    """A line of a workflow file, for messages."""

    file: str
    line: int

    def error(self, problem: str) -> WorkflowError:
        """Return an error that names this place."""
        return WorkflowError(f"{self.file}:{self.line}: {problem}")


@dataclass(frozen=True)
class Part:
    """A part of the document: its node, its place, and what it is called in messages."""

    node: yaml.Node
    file: str
    name: str

    @property
    def place(self) -> Place:
        """The line on which the part begins."""
        return Place(self.file, self.node.start_mark.line + 1)

    @property
    def text_place(self) -> Place:
        """The line on which a scalar's own text begins: the one below `|` or `>`."""
        below = isinstance(self.node, yaml.ScalarNode) and self.node.style in ("|", ">")
        return Place(self.file, self.place.line + 1) if below else self.place

    def error(self, problem: str) -> WorkflowError:
        """Return an error that names the part and its line."""
        return self.place.error(f"`{self.name}` {problem}.")

    def is_mapping(self) -> bool:
        """Tell whether the part has keys."""
        return isinstance(self.node, yaml.MappingNode)

    def is_sequence(self) -> bool:
        """Tell whether the part is a list."""
        return isinstance(self.node, yaml.SequenceNode)

    def is_null(self) -> bool:
        """Tell whether nothing is written there."""
        return self._is_plain() and self.node.value in NULL

    def _is_plain(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode) and self.node.style is None

    def mapping(self, known: Collection[str] | None = None) -> dict[str, "Part"]:
        """Return the parts by key; with `known`, every other key is an error."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error("has to be a mapping of keys and values")
        parts: dict[str, Part] = {}
        for key, value in self.node.value:
            place = Place(self.file, key.start_mark.line + 1)
            if not isinstance(key, yaml.ScalarNode):
                raise place.error(f"a key of `{self.name}` has to be a text.")
            if known is not None and key.value not in known:
                raise place.error(
                    f"`{key.value}` is not known in `{self.name}`: the rehearsal knows "
                    f"{', '.join(known)}."
                )
            if key.value in parts:
                raise place.error(f"`{key.value}` stands twice in `{self.name}`.")
            parts[key.value] = Part(value, self.file, key.value)
        return parts

    def sequence(self) -> list["Part"]:
        """Return the parts of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error("has to be a list")
        return [Part(node, self.file, self.name) for node in self.node.value]

    def texts(self) -> tuple[str, ...]:
        """Return a list of texts, or the one text."""
        if self.is_sequence():
            return tuple(part.text() for part in self.sequence())
        return (self.text(),)

    def text(self) -> str:
        """Return a scalar as GitHub's text of it: the number 3.10 is `3.1`, quoted it is `3.10`."""
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.error("has to be a text")
        value = self.scalar()
        if value is None:
            return ""
        if isinstance(value, bool):
            return str(value).lower()
        return value if isinstance(value, str) else f"{value:.15g}"

    def scalar(self) -> bool | float | str | None:
        """Return a scalar as YAML 1.2 reads it, where `on` and `yes` are texts."""
        text = str(self.node.value)
        if not self._is_plain():
            return text
        if text in NULL:
            return None
        if text in TRUE or text in FALSE:
            return text in TRUE
        if NUMBER.fullmatch(text):
            return float(int(text, 0)) if text.startswith(("0o", "0x")) else float(text)
        return text

    def boolean(self) -> bool:
        """Return true or false."""
        value = self.scalar() if isinstance(self.node, yaml.ScalarNode) else None
        if not isinstance(value, bool):
            raise self.error("has to be true or false")
        return value

    def value(self, depth: int = 10) -> Value:
        """Return the part as plain values."""
        if not depth:
            raise self.error("is nested too deeply")
        if self.is_mapping():
            return {key: part.value(depth - 1) for key, part in self.mapping().items()}
        if self.is_sequence():
            return [part.value(depth - 1) for part in self.sequence()]
        return self.scalar()


def read(content: bytes, file: str) -> Part:
    """Return the root of a workflow file; `WorkflowError` where it is no YAML document."""
    start = Place(file, 1)
    if len(content) > LARGEST:
        raise start.error(f"the file is larger than {LARGEST // 1024} kB: GitHub does not read it.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Place(file, line).error("the file is not UTF-8: save it as UTF-8.") from None
    try:
        _refuse_by_tokens(text, file)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(str(error.problem or error.context).split())
        raise Place(file, mark.line + 1 if mark else 1).error(
            f"not valid YAML: {reason}."
        ) from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise Place(file, line).error(f"not valid YAML: {error.reason}.") from None
    except (yaml.YAMLError, RecursionError):
        raise start.error("not valid YAML: it is nested too deeply.") from None
    if node is None:
        raise start.error("the file is empty: a workflow has `on` and `jobs`.")
    return Part(node, file, "the workflow")


def _refuse_by_tokens(text: str, file: str) -> None:
    """Refuse aliases, and what is nested so deeply that reading it would take for ever."""
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        place = Place(file, token.start_mark.line + 1)
        if isinstance(token, yaml.AliasToken):
            raise place.error("aliases are not supported: write the value out.")
        depth += isinstance(token, OPENING) - isinstance(token, CLOSING)
        if depth > DEEPEST:
            raise place.error("not valid YAML for a workflow: it is nested too deeply.")
