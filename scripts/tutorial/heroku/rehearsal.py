"""Carry out a Dockerfile on this machine, as far as an image can be had without Docker: a folder and its settings.

Supported is what the app's Dockerfile needs. All else is an error that says so, never a silent skip.
"""

import hashlib
import platform
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tutorial.heroku.build_context import BuildContext, CopyError
from tutorial.heroku.dockerfile import BuildError, Instruction
from tutorial.heroku.packages import is_made, make_layer

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOTED = ("EXPOSE", "LABEL", "USER", "HEALTHCHECK", "MAINTAINER", "STOPSIGNAL")
ACCOUNTS = ("useradd", "adduser", "groupadd", "addgroup")
SHELL = re.compile(r"[;|&<>`()\n]")
PIP = (["pip", "install"], ["pip3", "install"], ["python", "-m", "pip", "install"])
# Options of pip that change nothing on a laptop. An index, a target or a package by name would.
PIP_OPTIONS = {
    "--no-cache-dir", "--no-cache", "--no-compile", "--no-input", "--quiet", "-q", "--upgrade", "-U",
    "--disable-pip-version-check", "--root-user-action=ignore", "--progress-bar=off", "--no-warn-script-location",
}  # fmt: skip

Say = Callable[[str], object]


@dataclass
class Rehearsal:
    """An image that is being made: `root` is its file system, `steps` are digests of what was done so far."""

    context: BuildContext
    root: Path
    layers: Path
    known: frozenset[str]  # steps of former builds
    arguments: Mapping[str, str]
    say: Say
    environment: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    command: str | None = None
    requirements: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    _variables: dict[str, str] = field(default_factory=dict)
    _base: str | None = None

    def carry_out(self, instructions: Sequence[Instruction]) -> None:
        """Carry out all instructions. Raises `BuildError` at the first that cannot be."""
        for number, one in enumerate(instructions, 1):
            self.say(f"Step {number}/{len(instructions)} : {one.name} {one.value}")
            if self._base is None and one.name not in ("ARG", "FROM"):
                raise one.error(f"{one.name} comes before FROM: name the base first.")
            act = self._acts().get(one.name)
            if act is None:
                raise one.unsupported(f"the instruction {one.name}")
            act(one)
        if self._base is None:
            raise BuildError("The Dockerfile has no FROM: let it name a base.")

    def _acts(self) -> dict[str, Callable[[Instruction], None]]:
        return {
            "ARG": self._arg,
            "FROM": self._from,
            "WORKDIR": self._workdir,
            "ENV": self._env,
            "COPY": self._copy,
            "RUN": self._run,
            "CMD": self._cmd,
            **dict.fromkeys(NOTED, self._note),
        }

    def _seen(self) -> dict[str, str]:
        """What `$NAME` stands for: ENV wins over ARG."""
        return {"PATH": PATH, **self._variables, **self.environment}

    def _done(self, one: Instruction, inputs: str = "") -> bool:
        """Keep the digest of a step; tell whether a former build did the same after the same steps."""
        said = "\0".join([*self.steps[-1:], one.name, one.value, inputs])
        self.steps.append(hashlib.sha256(said.encode()).hexdigest())
        return self.steps[-1] in self.known

    def _cached(self, one: Instruction, inputs: str = "") -> None:
        if self._done(one, inputs):
            self.say(" ---> Using cache")

    def _note(self, one: Instruction) -> None:
        self._cached(one)
        if one.name == "USER":
            self.say(" ---> Noted: on a laptop, dynos run as you")

    def _arg(self, one: Instruction) -> None:
        for word in one.words(self._seen()):
            name, given, default = word.partition("=")
            if name in self.arguments:
                self._variables[name] = self.arguments[name]
            elif given or name not in self._variables:
                self._variables[name] = default
        self._cached(one, repr(sorted(self._variables.items())))

    def _from(self, one: Instruction) -> None:
        if self._base is not None:
            raise one.unsupported("a second FROM")
        words = one.words(self._seen())
        if (
            len(words) not in (1, 3)
            or words[0].startswith("-")
            or words[1:2] not in ([], ["AS"], ["as"])
        ):
            raise one.unsupported(f"FROM {one.value}")
        self._base = words[0]
        self._cached(one, self._base)
        self.say(
            f" ---> On a laptop, this machine's Python {platform.python_version()} stands in for {self._base}"
        )

    def _workdir(self, one: Instruction) -> None:
        words = one.words(self._seen())
        if len(words) != 1:
            raise one.error("WORKDIR takes one folder.")
        # Refused with `..`, it stays inside the image.
        path = PurePosixPath(self.workdir, words[0])
        if ".." in path.parts:
            raise one.unsupported("a WORKDIR with ..")
        self.workdir = str(path)
        self._in_image(self.workdir).mkdir(parents=True, exist_ok=True)
        self._cached(one)

    def _in_image(self, path: str) -> Path:
        return self.root.joinpath(*PurePosixPath(path).parts[1:])

    def _env(self, one: Instruction) -> None:
        words = one.words(self._seen())
        if not words:
            raise one.error("ENV names no variable.")
        if "=" in words[0]:
            pairs = [word.partition("=") for word in words]
        else:  # ENV NAME the rest is the value
            pairs = [(words[0], "=" if words[1:] else "", " ".join(words[1:]))]
        for name, equals, value in pairs:
            if not name or not equals:
                raise one.error(f"ENV has no = in {name!r}: write NAME=value.")
            self.environment[name] = value
        self._cached(one)

    def _copy(self, one: Instruction) -> None:
        words = one.exec_form()
        if words is None:
            words = one.words(self._seen())
        while words and words[0].startswith("--"):
            if not words[0].startswith("--chown="):
                raise one.unsupported(f"COPY {words[0].partition('=')[0]}")
            words = words[1:]
        if len(words) < 2:
            raise one.error("COPY takes sources and a destination.")
        try:
            written = self.context.copy(words[:-1], words[-1], self.workdir, self.root)
        except CopyError as error:
            raise one.error(f"COPY failed: {error}.") from None
        self._cached(one, digest_of(self.root, written))

    def _run(self, one: Instruction) -> None:
        words = one.exec_form() or one.words(self._seen())
        if SHELL.search(" ".join(word for word in words if word != "&&")):
            raise one.unsupported("RUN with more of a shell than &&")
        commands: list[list[str]] = [[]]
        for word in words:
            if word == "&&":
                commands.append([])
            else:
                commands[-1].append(word)
        texts = [text for command in commands for text in self._run_command(one, command)]
        if not texts:
            self._cached(one)
            return
        self.requirements += texts
        if self._done(one, repr(texts)) or is_made(self.layers, self.requirements):
            self.say(" ---> Using cache")
        try:
            make_layer(self.layers, self.requirements, self.say)
        except BuildError as error:
            raise one.error(str(error)) from None

    def _run_command(self, one: Instruction, command: list[str]) -> list[str]:
        """Return the texts of the requirements files that a command installs: none if it is only noted."""
        if command and command[0] in ACCOUNTS:
            self.say(f" ---> Noted, not run: {' '.join(command)}")
            return []
        pip = next((form for form in PIP if command[: len(form)] == form), None)
        if pip is None:
            raise one.unsupported(
                f"RUN {' '.join(command)[:60]}, only pip install -r FILE and {'/'.join(ACCOUNTS)}"
            )
        texts: list[str] = []
        options = iter(command[len(pip) :])
        for option in options:
            if option in ("-r", "--requirement"):
                texts.append(self._requirements_file(one, next(options, "")))
            elif option.startswith("--requirement="):
                texts.append(self._requirements_file(one, option.partition("=")[2]))
            elif option not in PIP_OPTIONS:
                raise one.unsupported(
                    f"pip install {option}: name packages in a file, install it with -r"
                )
        if not texts:
            raise one.error("pip install names no file: give one with -r.")
        return texts

    def _requirements_file(self, one: Instruction, name: str) -> str:
        path = self._in_image(str(PurePosixPath(self.workdir, name)))
        try:
            if not name or not path.resolve().is_relative_to(self.root.resolve()):
                raise FileNotFoundError
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise one.error(
                f"there is no requirements file {name!r} in the image's {self.workdir}: COPY it before."
            ) from None

    def _cmd(self, one: Instruction) -> None:
        words = one.exec_form()
        # In exec form no shell replaces $PORT: quoted, it stays as it is.
        self.command = one.value if words is None else f"exec {shlex.join(words)}"
        self._cached(one)


def digest_of(root: Path, paths: Sequence[Path]) -> str:
    """Return the sha256 over files, folders and links: names below `root`, kinds, right to execute, content."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        name = str(path.relative_to(root))
        if path.is_symlink():
            said = f"link {name} {path.readlink()}".encode()
        elif path.is_dir():
            said = f"folder {name}".encode()
        else:
            runs = bool(path.stat().st_mode & 0o100)
            said = f"file {name} {runs} ".encode() + hashlib.sha256(path.read_bytes()).digest()
        digest.update(len(said).to_bytes(8, "big") + said)
    return digest.hexdigest()
