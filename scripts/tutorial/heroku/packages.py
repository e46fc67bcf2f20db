"""The layer of `RUN pip install`: a virtual environment, made once for each Python and each set of requirements."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tutorial.heroku.dockerfile import BuildError

UV = Path(sys.executable).with_name("uv")
COMPLETE = "complete"  # the file that is written last
# What uv may know of this machine: where its cache is and how it reaches packages. No key of the platform's.
INHERITED = re.compile(
    r"UV_\w+|SSL_CERT_\w+|\w+_PROXY|\w+_proxy|HOME|PATH|TMPDIR|XDG_\w+|LANG|LC_\w+"
)
# In a requirements file: what asks for another file or folder, which the layer's name would not know of.
ELSEWHERE = re.compile(
    r"(-r|-c|-e|--requirement|--constraint|--editable)\b|\.{0,2}/|.*@\s*file:|file:"
)
WORDS = 600  # of uv's reason, in letters


def layer_key(requirements: list[str]) -> str:
    """Return the name of the layer that holds these requirements files' packages."""
    said = "\0".join([sys.version, sys.platform, *requirements])
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def is_made(layers: Path, requirements: list[str]) -> bool:
    """Tell whether the layer is there already."""
    return (layers / layer_key(requirements) / COMPLETE).is_file()


def make_layer(layers: Path, requirements: list[str], say: Callable[[str], object]) -> Path:
    """Return the folder of a virtual environment with the packages that the requirements files' texts name.

    Uses packages that uv has in its cache, else downloads them and says so. Raises `BuildError` with uv's reason.
    """
    layer = layers / layer_key(requirements)
    if is_made(layers, requirements):
        return layer
    for line in "\n".join(requirements).splitlines():
        if ELSEWHERE.match(line.strip()):
            raise BuildError(
                f"The requirements file's line {line.strip()[:60]!r} names another file: "
                "the laptop's rehearsal of a build supports packages by name."
            )
    part = layers / f".{layer.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        # Relocatable: it is made under one name and used under another.
        _uv(part, "venv", "--no-project", "--relocatable", "--python", sys.executable, ".")
        if requirements:
            _install(part, requirements, say)
        (part / COMPLETE).touch()
        shutil.rmtree(layer, ignore_errors=True)  # what a power cut left of one
        part.rename(layer)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return layer


def _install(part: Path, requirements: list[str], say: Callable[[str], object]) -> None:
    named: list[str] = []
    for number, text in enumerate(requirements):
        name = f".requirements-{number}.txt"
        (part / name).write_text(text, encoding="utf-8")
        named += ["-r", name]
    install = ["pip", "install", "--python", "bin/python", *named]
    try:
        words = _uv(part, *install, "--offline")
    except BuildError:
        say(" ---> Not all packages are on this machine yet: downloading them")
        words = _uv(part, *install)
    for line in words.splitlines():
        if line.startswith(("Installed", "Resolved", "Prepared")):
            say(f" ---> {line}")


def _uv(folder: Path, *command: str) -> str:
    """Run uv in a folder and return what it says; raises `BuildError`."""
    environment = {name: value for name, value in os.environ.items() if INHERITED.fullmatch(name)}
    environment |= {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    if not UV.is_file():
        raise BuildError("uv, which installs packages here, cannot be started: run `make setup`.")
    # On a leash: when the platform is killed, uv does not go on writing into a layer.
    end, held = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "tutorial.leash", UV, *command],
            cwd=folder,
            env=environment,
            stdin=end,
            capture_output=True,
            text=True,
        )
    finally:
        os.close(end)
        os.close(held)
    if done.returncode:
        reason = " ".join(done.stderr.replace("error: ", "", 1).split())
        raise BuildError(f"The packages cannot be installed: {reason[:WORDS].rstrip('.')}.")
    return done.stderr
