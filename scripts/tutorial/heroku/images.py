"""Images without Docker: built from a tarball, kept in a folder, found again after a restart."""

import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tutorial.heroku import dockerfile, heroku_yml
from tutorial.heroku.archive import ArchiveError, unpack
from tutorial.heroku.build_context import BuildContext
from tutorial.heroku.dockerfile import BuildError
from tutorial.heroku.packages import COMPLETE, layer_key, make_layer
from tutorial.heroku.rehearsal import Rehearsal, digest_of

__all__ = ["BuildError", "Image", "build", "load", "mark_live"]

KEPT = 10  # images of that many builds
MANIFEST = "manifest.json"
LIVE = "live-"  # begins the name of the file that says which app's dyno runs an image
# One build at a time, so that none removes what another is about to use.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Image:
    """An image: `root` is its file system, `packages` the virtual environment that is its Python.

    `workdir` is a path in the image, `environment` what its ENV says, `command` and `release_command` are for a shell.
    """

    id: str
    root: Path
    workdir: str
    environment: Mapping[str, str]
    command: str
    release_command: str | None
    packages: Path | None = field(default=None)


def build(tarball: Path, folder: Path, say: Callable[[str], object]) -> Image:
    """Build what a .tar.gz holds into `folder`, which holds all images and layers; `say` gets lines of output.

    Raises `BuildError`; `folder` is then as it was. Blocks for seconds: call it in a thread.
    """
    with _one_at_a_time:
        part = folder / "part"
        shutil.rmtree(part, ignore_errors=True)  # of a build that was killed
        part.mkdir(parents=True)
        try:
            image = _build(tarball, folder, part, say)
        except ArchiveError as error:
            raise BuildError(str(error)) from None
        except OSError as error:
            raise BuildError(
                f"The build cannot write its files: {error.strerror or error}."
            ) from None
        finally:
            shutil.rmtree(part, ignore_errors=True)
        _prune(folder)
    say(f"Successfully built {image.id[:12]}")
    return image


def _build(tarball: Path, folder: Path, part: Path, say: Callable[[str], object]) -> Image:
    source = part / "source"
    unpack(tarball, source)
    plan = heroku_yml.read(source)
    pure = PurePosixPath(plan.dockerfile)
    path = source / pure
    if pure.is_absolute() or ".." in pure.parts or not path.is_file():
        raise BuildError(
            f"{heroku_yml.FILE}: build.docker.web names {plan.dockerfile}: no such file."
        )
    say(f"=== Building web ({plan.dockerfile})")
    instructions = dockerfile.read(path.read_bytes(), plan.dockerfile)
    root, layers = part / "image" / "root", folder / "layers"
    root.mkdir(parents=True)
    known = frozenset(step for manifest in _manifests(folder) for step in manifest["steps"])
    # As on Heroku, the Dockerfile's folder is what is built, and COPY starts there.
    context = BuildContext(path.parent)
    made = Rehearsal(context, root, layers, known, plan.arguments, say)
    made.carry_out(instructions)
    command = plan.web_command or made.command
    if command is None:
        raise BuildError(
            f"{plan.dockerfile} has no CMD, and {heroku_yml.FILE} no run.web: say what the web process is."
        )
    make_layer(layers, made.requirements, say)  # without packages: the bare Python
    settings: dict[str, Any] = {
        "workdir": made.workdir,
        "environment": made.environment,
        "command": command,
        "release_command": plan.release_command,
        "layer": layer_key(made.requirements),
    }
    said = json.dumps(settings, sort_keys=True) + digest_of(root, list(root.rglob("*")))
    image_id = hashlib.sha256(said.encode()).hexdigest()
    manifest = part / "image" / MANIFEST
    manifest.write_text(json.dumps({**settings, "steps": made.steps}, indent=1), encoding="utf-8")
    final = folder / image_id
    try:
        load(folder, image_id)
        (final / MANIFEST).touch()  # the latest again
    except BuildError:
        shutil.rmtree(final, ignore_errors=True)  # what a power cut left of one
        (part / "image").rename(final)
    return load(folder, image_id)


def load(folder: Path, image_id: str) -> Image:
    """Return an image that was built. Raises `BuildError` if it, or its packages, are gone."""
    gone = BuildError(
        f"The image {image_id[:12]} is gone: only those of the last {KEPT} builds are kept, deploy again."
    )
    if not image_id.isalnum():
        raise gone
    try:
        manifest = json.loads((folder / image_id / MANIFEST).read_text(encoding="utf-8"))
        packages = folder / "layers" / manifest["layer"]
        image = Image(
            image_id,
            folder / image_id / "root",
            manifest["workdir"],
            manifest["environment"],
            manifest["command"],
            manifest["release_command"],
            packages,
        )
    except (OSError, ValueError, KeyError):
        raise gone from None
    if not (packages / COMPLETE).is_file() or not image.root.is_dir():
        raise gone
    return image


def mark_live(image: Image, dyno_folder: Path) -> None:
    """Keep an image as long as the dyno of this folder runs it, however many builds come after it."""
    name = LIVE + hashlib.sha256(str(dyno_folder).encode()).hexdigest()[:16]
    mark = image.root.parent / name
    mark.write_text(str(dyno_folder), encoding="utf-8")
    for other in image.root.parent.parent.glob(f"*/{name}"):
        if other != mark:
            other.unlink(missing_ok=True)


def _is_live(image: Path) -> bool:
    """Tell whether an app that is still there runs the image."""
    return any(Path(mark.read_text(encoding="utf-8")).is_dir() for mark in image.glob(f"{LIVE}*"))


def _manifests(folder: Path) -> Iterator[dict[str, Any]]:
    for path in folder.glob(f"*/{MANIFEST}"):
        try:
            yield json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # load() will say that it is gone
            continue


def _prune(folder: Path) -> None:
    """Remove the images of builds before the last ten that no dyno runs, then the layers that none uses."""
    images = sorted(folder.glob(f"*/{MANIFEST}"), key=lambda path: path.stat().st_mtime_ns)
    for path in images[:-KEPT]:
        if not _is_live(path.parent):
            path.unlink()  # first: without it there is no image, however far the rest gets
            shutil.rmtree(path.parent, ignore_errors=True)
    used = {manifest["layer"] for manifest in _manifests(folder)}
    for layer in (folder / "layers").iterdir():
        if layer.name not in used:
            shutil.rmtree(layer, ignore_errors=True)
