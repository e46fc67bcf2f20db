"""Read a Dockerfile: its instructions with their lines, and their words with variables replaced."""

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from dockerfile_parse import DockerfileParser  # type: ignore[import-untyped]

from tutorial.errors import TutorialError

COMMENT = "COMMENT"
VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^}]*))?\})", re.ASCII)


class BuildError(TutorialError):
    """What cannot be built. The message is one sentence: what is wrong, where, in which file."""


@dataclass(frozen=True)
class Instruction:
    """One instruction: where it starts (`file`, `line` from 1), its `name` in capitals, its `value`."""

    file: str
    line: int
    name: str
    value: str

    def error(self, problem: str) -> BuildError:
        """Return the error that names this instruction's file and line."""
        return BuildError(f"{self.file} line {self.line}: {problem}")

    def unsupported(self, what: str) -> BuildError:
        """Return the error for what Docker may well do, and the laptop does not."""
        return self.error(f"the laptop's rehearsal of a build does not support {what}.")

    def exec_form(self) -> list[str] | None:
        """Return the words of a value that is a JSON list of strings, else None."""
        if not self.value.startswith("["):
            return None
        try:
            words = json.loads(self.value)
        except ValueError:
            return None  # Docker, too, takes it for a shell's command then
        if not words or not all(isinstance(word, str) for word in words):
            return None
        return [str(word) for word in words]

    def words(self, variables: Mapping[str, str]) -> list[str]:
        """Split the value into words as Docker does: quotes and escapes consumed, variables replaced."""
        try:
            return split(self.value, variables)
        except ValueError as error:
            raise self.error(f"{error}.") from None


def split(text: str, variables: Mapping[str, str]) -> list[str]:
    """Split at white space outside quotes; `$NAME`, `${NAME}`, `${NAME:-word}` and `${NAME:+word}` are replaced.

    Raises `ValueError` for a quote that is not closed.
    """
    words: list[str] = []
    word: str | None = None
    quote, at = "", 0
    while at < len(text):
        letter = text[at]
        variable = VARIABLE.match(text, at) if letter == "$" and quote != "'" else None
        if variable:
            word = (word or "") + _value(variable, variables)
            at = variable.end()
            continue
        at += 1
        if letter == "\\" and quote != "'" and at < len(text):
            kept = "\\" if quote and text[at] not in '"$\\' else ""
            word = (word or "") + kept + text[at]
            at += 1
        elif letter in ("'", '"') and quote in ("", letter):
            quote = "" if quote else letter
            word = word or ""
        elif letter.isspace() and not quote:
            words += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + letter
    if quote:
        raise ValueError(f"a quote {quote} is not closed")
    return words if word is None else [*words, word]


def _value(variable: re.Match[str], variables: Mapping[str, str]) -> str:
    plain, braced, how, other = variable.groups()
    value = variables.get(plain or braced)
    there = bool(value) if how and how.startswith(":") else value is not None
    if how and how.endswith("-"):
        return (value or "") if there else other
    if how and how.endswith("+"):
        return other if there else ""
    return value or ""


def read(content: bytes, file: str) -> list[Instruction]:
    """Return the instructions of a Dockerfile named `file`. Raises `BuildError` for what is none."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise BuildError(f"{file} is not text in UTF-8.") from None
    # The parser's own text mode would look for a file on the disk.
    parsed = DockerfileParser(fileobj=io.BytesIO(content)).structure
    covered = {line for one in parsed for line in range(one["startline"], one["endline"] + 1)}
    for number, line in enumerate(text.splitlines()):
        if line.strip() and number not in covered:
            raise BuildError(
                f"{file} line {number + 1}: {line.strip()[:40]!r} is no whole instruction."
            )
    instructions = [
        Instruction(file, one["startline"] + 1, one["instruction"], one["value"].strip())
        for one in parsed
        if one["instruction"] != COMMENT
    ]
    for one in instructions:
        if not one.value:
            raise one.error(f"{one.name} has no value.")
    return instructions
