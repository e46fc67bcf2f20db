"""Read `heroku.yml`: which Dockerfile is built, what runs before a release, what the web process is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tutorial.heroku.dockerfile import BuildError

FILE = "heroku.yml"


@dataclass(frozen=True)
class Plan:
    """What `heroku.yml` says. `web_command` is None where the Dockerfile's CMD is the web process."""

    dockerfile: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    web_command: str | None = None
    release_command: str | None = None


def read(folder: Path) -> Plan:
    """Read the plan of the tarball unpacked in `folder`. Raises `BuildError`, naming the line or key."""
    try:
        content = yaml.safe_load((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BuildError(
            f"There is no {FILE} at the top of the tarball: it names the Dockerfile."
        ) from None
    except (OSError, UnicodeDecodeError):
        raise BuildError(f"{FILE} is no text file in UTF-8.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise BuildError(f"{FILE}{where} is not YAML: {problem}.") from None
    top = _mapping(content, "", {"build", "release", "run", "setup"})
    build = _mapping(top.get("build"), "build", {"docker", "config"})
    docker = _mapping(build.get("docker"), "build.docker", {"web"})
    if "web" not in docker:
        raise BuildError(f"{FILE}: build.docker.web is missing: let it name the Dockerfile.")
    arguments = _mapping(build.get("config", {}), "build.config", None)
    run = _mapping(top.get("run", {}), "run", {"web"})
    return Plan(
        _text(docker["web"], "build.docker.web"),
        {name: _text(value, f"build.config.{name}") for name, value in arguments.items()},
        _command(run["web"], "run.web") if "web" in run else None,
        _command(top["release"], "release") if "release" in top else None,
    )


def _mapping(content: Any, key: str, known: set[str] | None) -> dict[str, Any]:
    if not isinstance(content, dict):
        where = f"{FILE}: {key}" if key else FILE
        raise BuildError(f"{where} is not a mapping of keys to values.")
    if known is not None and set(content) - known:
        prefix = f"{key}." if key else ""
        unknown = min(str(name) for name in set(content) - known)
        raise BuildError(
            f"{FILE}: {prefix}{unknown} is not known here: use {', '.join(sorted(known))}."
        )
    return {str(name): value for name, value in content.items()}


def _text(content: Any, key: str) -> str:
    if isinstance(content, bool) or not isinstance(content, str | int | float):
        raise BuildError(f"{FILE}: {key} is not a text.")
    if not str(content).strip():
        raise BuildError(f"{FILE}: {key} is empty.")
    return str(content).strip()


def _command(content: Any, key: str) -> str:
    """Return a command: a text, or a mapping of `command` (a text, or a list of one) and `image`."""
    if isinstance(content, dict) or key == "release":
        parts = _mapping(content, key, {"command", "image"})
        if parts.get("image", "web") != "web":
            raise BuildError(f"{FILE}: {key}.image is not web, the one image that is built.")
        key, content = f"{key}.command", parts.get("command")
    if isinstance(content, list):
        if len(content) != 1:
            raise BuildError(f"{FILE}: {key} is a list of {len(content)}: give one command.")
        content = content[0]
    if content is None:
        raise BuildError(f"{FILE}: {key} is missing.")
    return _text(content, key)
