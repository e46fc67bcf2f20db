"""What a step prints: masked, cut at a limit, its workflow commands heeded."""

import re
from dataclasses import dataclass
from pathlib import Path

from tutorial.github.masking import Masker

LIMIT = 4_000_000  # bytes of a step's log
LONGEST_LINE = 65_536  # characters; what is longer is cut
CUT = "[The output is cut here: a step's log ends at 4 MB.]"
COMMAND = re.compile(r"^\s*::([\w-]+)(?:\s+(.*?))?::(.*)$", re.DOTALL)
LEVELS = {"error": "failure", "warning": "warning", "notice": "notice"}
GONE = ("set-output", "save-state", "set-env", "add-path")
INSTEAD = {"set-output": "OUTPUT", "save-state": "STATE", "set-env": "ENV", "add-path": "PATH"}


@dataclass(frozen=True)
class Annotation:
    """A remark of a step on a file, or on the run."""

    level: str
    message: str
    file: str | None = None
    line: int | None = None
    title: str | None = None


class Transcript:
    """Takes a step's output in pieces and writes its log; holds no more than one line."""

    def __init__(self, path: Path, masker: Masker) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self._masker = masker
        self._written = 0
        self._line = b""
        self._long = False  # in a line whose beginning is written
        self._stopped: str | None = None  # the token that starts commands again
        self.annotations: list[Annotation] = []
        self.problem: str | None = None  # a command that GitHub heeds no more

    def feed(self, data: bytes) -> None:
        """Take a piece of output."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._end_line(self._line + line)
            self._line = b""
        self._line += rest
        # A secret that begins before the cut is seen whole: some of the line is kept beyond it.
        if len(self._line) > LONGEST_LINE + 4 * self._masker.longest:
            if not self._long:
                self._write_cut(self._line)
            self._line, self._long = b"", True
        self._file.flush()

    def _end_line(self, line: bytes) -> None:
        if self._long:
            self._long = False
            return
        text = line.decode("utf-8", "replace").removesuffix("\r")
        if len(text) > LONGEST_LINE:
            self._write_cut(line)
            return
        found = COMMAND.match(text)
        said = self._command(found[1], found[2] or "", found[3]) if found else text
        if said is not None:
            self.say(said)

    def _write_cut(self, line: bytes) -> None:
        masked = self._masker.mask(line.decode("utf-8", "replace"))
        # What the last characters begin may be a secret that goes on beyond what is held.
        keep = max(0, min(LONGEST_LINE, len(masked) - self._masker.longest))
        self._write(masked[:keep] + " [The line is cut here.]")

    def say(self, text: str) -> None:
        """Write a line of the runner's own, or of the step, masked."""
        if self._written > LIMIT:
            return
        self._write(self._masker.mask(text))

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "replace") + b"\n"
        if self._written <= LIMIT < self._written + len(data):
            data = CUT.encode() + b"\n"
            self._written = LIMIT + 1
        elif self._written > LIMIT:
            return
        self._written += len(data)
        self._file.write(data)

    def tell(self, text: str) -> None:
        """Write the runner's last words on a step, however long its log is."""
        self._file.write(self._masker.mask(text).encode("utf-8", "replace") + b"\n")
        self._file.flush()

    def _command(self, name: str, properties: str, message: str) -> str | None:
        """Heed a workflow command; return what the log shows of it, None for nothing."""
        whole = f"::{name}{' ' * bool(properties)}{properties}::{message}"
        if self._stopped is not None:
            if name == self._stopped:
                self._stopped = None
                return None
            return whole
        text = _decoded(message)
        if name == "add-mask":
            self._masker.add(text)
            return None
        if name == "stop-commands":
            self._stopped = message.strip()
            return None
        if name in LEVELS:
            self.annotations.append(self._annotation(LEVELS[name], text, properties))
            return f"{name.capitalize()}: {text}"
        if name == "group":
            return f"> {text}"
        if name in ("endgroup", "debug", "echo", "add-matcher", "remove-matcher"):
            return None
        if name in GONE:
            self.problem = f"`::{name}::` is heeded no more: write to GITHUB_{INSTEAD[name]}."
            return f"Error: {self.problem}"
        return whole

    def _annotation(self, level: str, text: str, properties: str) -> Annotation:
        pairs = (pair.partition("=") for pair in properties.split(",") if pair)
        given = {key.strip(): _decoded(value, everything=True) for key, _, value in pairs}
        line = given.get("line", "")
        return Annotation(
            level,
            self._masker.mask(text),
            self._masker.mask(given["file"]) if "file" in given else None,
            int(line) if line.isdecimal() and len(line) < 9 else None,
            self._masker.mask(given["title"]) if "title" in given else None,
        )

    def close(self) -> None:
        """Write what is left and close the log."""
        if self._line and not self._long:
            self._end_line(self._line)
        self._line = b""
        self._file.close()


def _decoded(text: str, everything: bool = False) -> str:
    pairs = [("%0D", "\r"), ("%0A", "\n")]
    pairs += [("%3A", ":"), ("%2C", ",")] if everything else []
    for code, sign in [*pairs, ("%25", "%")]:
        text = text.replace(code, sign)
    return text
