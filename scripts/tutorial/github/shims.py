"""What stands in for the actions that our workflows use."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tutorial.github.repository import Repository, clean_environment
from tutorial.github.site import Site, uv
from tutorial.github.store import Row, Store

# Done after the job's last step: told whether the job went well, and where to say what was done.
Afterwards = Callable[[bool, Callable[[str], None]], None]


class ActionError(Exception):
    """An action that fails; the message is a sentence."""


@dataclass
class Call:
    """What an action is called with, and what it gives back."""

    site: Site
    store: Store
    run: Row
    inputs: Mapping[str, str]
    may_write: bool  # the token's `contents: write`
    say: Callable[[str], None]
    mask: Callable[[str], None]
    outputs: dict[str, str] = field(default_factory=dict)
    afterwards: Afterwards | None = None

    def flag(self, name: str, default: bool) -> bool:
        """Return an input that is true or false."""
        value = self.inputs.get(name, "").strip().lower()
        if value not in ("", "true", "false"):
            raise ActionError(f"`{name}` has to be true or false, not {value!r}.")
        return default if not value else value == "true"

    def inside(self, path: str) -> Path:
        """Return a path, from the workspace; one outside the job's own folders is an error."""
        folder = (self.site.workspace / path).resolve()
        if not folder.is_relative_to(self.site.root.resolve()):
            raise ActionError(f"The path {path!r} leaves the folders of the job.")
        return folder


def checkout(call: Call) -> None:
    """Clone the run's commit, or the `ref` that is asked for."""
    repository = Repository(call.site.state)
    folder = call.inside(call.inputs.get("path", ""))
    folder.mkdir(parents=True, exist_ok=True)
    depth = call.inputs.get("fetch-depth", "").strip() or "1"
    if not depth.isdecimal():
        raise ActionError(f"`fetch-depth` has to be a number, not {depth!r}.")
    wanted, branch = _wanted(call, repository)

    def git(*arguments: str) -> str:
        return _git(folder, *arguments)

    git("init", "--quiet", "--initial-branch=main")
    git("config", "gc.auto", "0")
    git("config", "advice.detachedHead", "false")
    git("remote", "add", "origin", repository.url)
    limits = [] if depth == "0" else [f"--depth={depth}"]
    tags = "--tags" if depth == "0" or call.flag("fetch-tags", False) else "--no-tags"
    refs = [wanted, *(["+refs/heads/*:refs/remotes/origin/*"] if depth == "0" else [])]
    git("fetch", "--quiet", tags, *limits, "origin", *refs)
    if branch:
        git("update-ref", f"refs/remotes/origin/{branch}", wanted)
        git("checkout", "--quiet", "--force", "-B", branch, wanted)
        git("config", f"branch.{branch}.remote", "origin")
        git("config", f"branch.{branch}.merge", f"refs/heads/{branch}")
    else:
        git("checkout", "--quiet", "--force", "--detach", wanted)
    if not (call.flag("persist-credentials", True) and call.may_write):
        why = "no-credentials:this-job-may-not-push"
        git("config", "remote.origin.pushurl", why)
    call.outputs.update(ref=call.inputs.get("ref", "") or call.run["ref"], commit=wanted)
    call.say(f"{wanted} is checked out{f' as {branch}' if branch else ''}.")


def _wanted(call: Call, repository: Repository) -> tuple[str, str | None]:
    """Return the commit, and the branch's name if it is one."""
    ref = call.inputs.get("ref", "").strip()
    if not ref:
        ref = call.run["ref"]
        branch = ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else None
        return call.run["sha"], branch
    if ref.startswith("-"):
        raise ActionError(f"There is no branch, tag or commit {ref!r} in the repository.")
    short = ref.removeprefix("refs/heads/")
    if repository.exists(f"refs/heads/{short}"):
        return repository.resolve(f"refs/heads/{short}"), short
    if not repository.exists(ref):
        raise ActionError(f"There is no branch, tag or commit {ref!r} in the repository.")
    return repository.resolve(ref), None


def _git(folder: Path, *arguments: str) -> str:
    environment = {**clean_environment(), "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", "-c", f"core.hooksPath={os.devnull}", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise ActionError(f"git {arguments[0]} failed: {words[-1] if words else 'no reason'}.")
    return done.stdout


def machine_python() -> str:
    """Return this machine's Python, that of our own environment."""
    return str(Path(sys.executable).resolve())


def setup_python(call: Call) -> None:
    """Make an environment of the job's own, from this machine's Python."""
    wanted = call.inputs.get("python-version", "").strip()
    named = call.inputs.get("python-version-file", "").strip()
    if named and not call.inside(named).is_file():
        raise ActionError(f"There is no file {named} to read the version from.")
    mine = platform.python_version()
    folder = call.site.root / "tools" / "python"
    _run_uv(call, "venv", "--quiet", "--clear", "--python", machine_python(), str(folder))
    _stand_in_for_pip(folder)
    call.site.path.insert(0, folder / "bin")
    call.site.environment["VIRTUAL_ENV"] = str(folder)
    call.site.environment["pythonLocation"] = str(folder)
    same = not wanted or mine == wanted or mine.startswith(f"{wanted}.")
    asked = "" if same else f" Python {wanted} is asked for."
    call.say(f"Python {mine} of this machine stands in.{asked}")
    call.say("pip is uv here: it installs from the cache first, then from the network.")
    call.outputs["python-version"] = mine
    call.outputs["python-path"] = str(folder / "bin" / "python")
    call.outputs["cache-hit"] = "true"


def _stand_in_for_pip(folder: Path) -> None:
    package = next(folder.glob("lib/python*/site-packages")) / "pip"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "uv").symlink_to(uv())
    stand_in = Path(__file__).with_name("pip_stand_in.py").read_bytes()
    (package / "__main__.py").write_bytes(stand_in)
    for name in ("pip", "pip3"):
        script = folder / "bin" / name
        script.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n')
        script.chmod(0o755)


def setup_uv(call: Call) -> None:
    """Put uv on the job's path, and no other program of ours."""
    folder = call.site.root / "tools" / "uv"
    folder.mkdir(exist_ok=True)
    for name in ("uv", "uvx"):
        program = uv().with_name(name)
        if program.exists() and not (folder / name).exists():
            (folder / name).symlink_to(program)
    call.site.path.insert(0, folder)
    said = _run_uv(call, "--version").split()
    version = said[1] if len(said) > 1 else "unknown"
    wanted = call.inputs.get("version", "").strip()
    asked = "" if wanted in ("", "latest", version) else f" uv {wanted} is asked for."
    call.say(f"uv {version} of this machine stands in, with its cache.{asked}")
    python = call.inputs.get("python-version", "").strip()
    if python:
        call.site.environment["UV_PYTHON"] = machine_python()
        call.say(f"Python {platform.python_version()} of this machine stands in for {python}.")
        call.outputs["python-version"] = platform.python_version()
    call.outputs["uv-version"] = version
    call.outputs["uv-path"] = str(folder / "uv")
    call.outputs["cache-hit"] = "true"


def _run_uv(call: Call, *arguments: str) -> str:
    done = subprocess.run(
        [uv(), *arguments],
        cwd=call.site.root,
        env=call.site.variables({}, {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise ActionError(f"uv {arguments[0]} failed: {words[-1] if words else 'no reason'}.")
    return done.stdout
