"""What it takes to build and run an image where there is no Docker and no registry.

buildah builds; a base comes from debootstrap, and the app's packages from a folder of wheels. Base and wheels are
made once and kept below `.tools/`; whatever they are made of is in their names.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tutorial.home import PROJECT

KEPT = PROJECT / ".tools"
SUITE = "bookworm"
PYTHON = "3.11.2"  # the suite's
INCLUDE = "python3,python3-pip"
# The places where a build finds the wheels are part of the base, so that a build leaves nothing new there.
RECIPE = """
set -eu
debootstrap --variant=minbase --include={include} {suite} {root}
cd {root}
rm -rf var/cache/apt/* var/lib/apt/lists/* usr/share/doc usr/share/man usr/share/locale
rm -f usr/lib/python3*/EXTERNALLY-MANAGED
ln -s /usr/bin/python3 usr/local/bin/python
mkdir wheels
touch etc/pip.conf
tar --create --file={archive} --exclude=./dev/* .
"""
PIP = "[global]\nno-index = true\nfind-links = /wheels\ndisable-pip-version-check = true\n"


def as_root(*command: str | Path, **settings: str) -> list[str]:
    """Return a command that runs as root, with some settings: making file systems takes that."""
    words = ["env", *(f"{name}={value}" for name, value in settings.items()), *map(str, command)]
    return words if os.geteuid() == 0 else ["sudo", "--non-interactive", *words]


def done(command: list[str], what: str) -> str:
    """Run a command to its end, and return all that it says; the test fails if the command does."""
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode:
        pytest.fail(f"{what} failed:\n{run.stdout[-4000:]}")
    return run.stdout


def need(*tools: str) -> None:
    """Fail by name where a tool is missing."""
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    for tool in tools:
        if shutil.which(tool, path=path) is None:
            pytest.fail(f"{tool} is missing: run `make test`, which installs it.")


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder of root's that is gone afterwards."""
    folder.mkdir()
    try:
        yield folder
    finally:
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for place in reversed([place for place in mounted if place.startswith(f"{folder}/")]):
            done(as_root("umount", place), "Clearing up")
        done(as_root("rm", "-rf", folder), "Clearing up")


def base_archive(folder: Path) -> Path:
    """Return the base as an archive of its files; makes it if it was never made."""
    named = sha256(f"{RECIPE}{INCLUDE}{SUITE}".encode()).hexdigest()[:12]
    archive = KEPT / f"image-base-{named}.tar"
    if not archive.is_file():
        KEPT.mkdir(exist_ok=True)
        with scratch(folder / "base") as root:
            made = folder / "base.tar"
            recipe = RECIPE.format(include=INCLUDE, suite=SUITE, root=root, archive=made)
            done(as_root("sh", "-c", recipe, PATH=f"{os.environ['PATH']}:/usr/sbin"), "The base")
            keep(made, archive)
    return archive


def wheels() -> Path:
    """Return a folder of the wheels that the app's requirements name, for the base's Python."""
    text = (PROJECT / "app" / "requirements.txt").read_text(encoding="utf-8")
    folder = KEPT / f"image-wheels-{sha256(f'{PYTHON}{text}'.encode()).hexdigest()[:12]}"
    if not folder.is_dir():
        there = {"python_full_version": PYTHON, "python_version": PYTHON.rpartition(".")[0]}
        wanted = [Requirement(line) for line in text.splitlines() if line.strip()]
        pins = [
            f"{r.name}{r.specifier}" for r in wanted if not r.marker or r.marker.evaluate(there)
        ]
        made = folder.with_suffix(".partial")
        uv = Path(sys.executable).with_name("uv")
        pip = [str(uv), "run", "--no-project", "--with", "pip", "python", "-m", "pip", "download"]
        options = ["--quiet", "--no-deps", "--only-binary=:all:", f"--python-version={PYTHON}"]
        done([*pip, *options, f"--dest={made}", *pins], "Downloading the app's packages")
        made.rename(folder)
    return folder


def keep(made: Path, place: Path) -> None:
    """Put a finished file in its place, whole or not at all."""
    partial = place.with_suffix(".partial")
    shutil.copyfile(made, partial)
    partial.rename(place)


def storage_driver(folder: Path) -> str:
    """Return overlay where the kernel lets us, else vfs, which copies every layer whole: minutes for seconds."""
    with scratch(folder / "attempt") as attempt:
        command = Buildah(attempt, "overlay").command("from", "scratch")
        worked = subprocess.run(command, capture_output=True).returncode == 0
    return "overlay" if worked else "vfs"


@dataclass(frozen=True)
class Buildah:
    """buildah with a storage of its own, below a folder that can be thrown away."""

    storage: Path
    driver: str
    settings: tuple[tuple[str, str], ...] = ()

    def command(self, *arguments: str | Path) -> list[str]:
        """Return the command line of one call."""
        places = ("--root", self.storage / "root", "--runroot", self.storage / "run")
        store = ("--storage-driver", self.driver, *places)
        settings = {"BUILDAH_ISOLATION": "chroot", **dict(self.settings)}
        return as_root("buildah", *store, *arguments, **settings)

    def __call__(self, *arguments: str | Path) -> str:
        """Run buildah and return what it says."""
        return done(self.command(*arguments), f"buildah {arguments[0]}").strip()

    def take(self, archive: Path, name: str) -> None:
        """Make an image of an archive of files."""
        container = self("from", "scratch")
        self("add", "--quiet", container, archive, "/")
        self("commit", "--quiet", container, name)
        self("rm", container)

    def build(self, context: Path, base: str, name: str) -> str:
        """Build a folder's Dockerfile on a base, without a network; return what the build says."""
        settings = self.storage / "pip.conf"
        settings.write_text(PIP, encoding="utf-8")
        volumes = ("--volume", f"{wheels()}:/wheels:ro", "--volume", f"{settings}:/etc/pip.conf:ro")
        base_is = ("--build-arg", f"BASE={base}")
        return self("build", "--layers", *base_is, *volumes, "--tag", name, context)
