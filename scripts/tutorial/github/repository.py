"""The bare repository that stands in for the one on GitHub, and its hook."""

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tutorial.errors import TutorialError

OWNER, NAME = "reader", "workspace"
DEFAULT_BRANCH = "main"
WORKFLOWS = ".github/workflows"
NOTHING = "0" * 40  # the commit of a branch that does not exist
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
SKIP = ("[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]")
HOOK = """#!/bin/sh
# Made by `tutorial`: queues the runs of the workflows that a push selects, and follows them.
unset GIT_DIR GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
exec {python} -I -m tutorial.github.hook --state {state} --owner {owner}
"""
GUARD = """#!/bin/sh
# Made by `tutorial`: refuses a push that the rule of a branch does not let pass; most have none.
test -e {state}/protected || exit 0
exec {python} -I -m tutorial.github.guard --state {state}
"""
# A reader's own settings must not keep the hook from running, nor tidy up behind a push; nobody pushes
# to what pull requests are made of; and a clone fetches the very commit of its run.
SETTINGS = """[core]
\thooksPath = {hooks}
[receive]
\tautogc = false
\thideRefs = refs/pull
[gc]
\tauto = 0
[uploadpack]
\tallowAnySHA1InWant = true
"""


@dataclass(frozen=True)
class Commit:
    """What a run says of a commit."""

    sha: str
    message: str
    author: str
    email: str
    time: str
    tree: str
    parents: tuple[str, ...]

    @property
    def title(self) -> str:
        """The message's first line."""
        return self.message.strip().split("\n", 1)[0]

    @property
    def skips(self) -> bool:
        """Tell whether the message asks GitHub to run nothing."""
        trailers = self.message.strip().splitlines()[-1:]
        return any(mark in self.message for mark in SKIP) or trailers in (
            ["skip-checks: true"],
            ["skip-checks:true"],
        )


class Repository:
    """Git, as far as the local GitHub needs it: the repository, or somebody's fork of it."""

    def __init__(self, state: Path, owner: str = OWNER) -> None:
        self.state = state
        self.owner = owner
        fork = state / "forks" / f"{owner}.git"
        self.path = state / "repository.git" if owner == OWNER else fork

    @property
    def url(self) -> str:
        """What `git remote add origin` takes."""
        return self.path.as_uri()

    @property
    def full_name(self) -> str:
        """The name as GitHub writes it: OWNER/NAME."""
        return f"{self.owner}/{NAME}"

    @property
    def is_fork(self) -> bool:
        """Tell whether somebody made it from the repository."""
        return self.owner != OWNER

    def git(self, *arguments: str) -> bytes:
        """Run git in the repository and return what it prints; `TutorialError` where it fails."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env=clean_environment(), capture_output=True
        )
        if done.returncode:
            words = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise TutorialError(
                f"git {arguments[0]} failed in the local GitHub: {words[-1] if words else 'no reason'}"
            )
        return done.stdout

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Tell whether a commit is in the history of another."""
        return self._succeeds("merge-base", "--is-ancestor", commit, of)

    def exists(self, commit: str) -> bool:
        """Tell whether a commit, or a branch's name, is there."""
        return self._succeeds("rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}")

    def has_branch(self, name: str) -> bool:
        """Tell whether there is a branch of exactly that name."""
        return self.has_ref(f"refs/heads/{name}")

    def has_ref(self, ref: str) -> bool:
        """Tell whether there is such a ref; an expression such as `main~1` is none."""
        return self._succeeds("show-ref", "--verify", "--quiet", ref)

    def _succeeds(self, *arguments: str) -> bool:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=self.path, env=clean_environment(), capture_output=True)
        return done.returncode == 0

    def resolve(self, name: str) -> str:
        """Return the commit that a name stands for."""
        return self.git("rev-parse", "--verify", f"{name}^{{commit}}").decode().strip()

    def workflow_files(self, commit: str) -> list[str]:
        """Return the paths of the workflow files of a commit, sorted."""
        names = self.git("ls-tree", "-z", "--name-only", commit, f"{WORKFLOWS}/")
        paths = [name.decode("utf-8", "replace") for name in names.split(b"\0") if name]
        return sorted(path for path in paths if path.endswith((".yml", ".yaml")))

    def file(self, commit: str, path: str) -> bytes:
        """Return the content of a file of a commit."""
        return self.git("cat-file", "blob", f"{commit}:{path}")

    def commit(self, sha: str) -> Commit:
        """Return what there is to say of a commit."""
        pattern = "%H%x00%an%x00%ae%x00%cI%x00%T%x00%P%x00%B"
        text = self.git("log", "-1", f"--format={pattern}", sha).decode("utf-8", "replace")
        found, author, email, time, tree, parents, message = text.split("\0", 6)
        words = tuple(parents.split())
        return Commit(found, message.rstrip("\n"), author, email, time, tree, words)

    def changed_files(self, before: str, after: str) -> list[str]:
        """Return the files that differ; for a new branch, since it left the default one."""
        if before == NOTHING or not self.exists(before):
            new = self.exists(DEFAULT_BRANCH) and self.resolve(DEFAULT_BRANCH) != after
            before = self.base(DEFAULT_BRANCH, after) if new else EMPTY_TREE
        names = self.git("diff", "--name-only", "--no-renames", "-z", before, after)
        return [name.decode("utf-8", "replace") for name in names.split(b"\0") if name]

    def base(self, one: str, other: str) -> str:
        """Return where two commits parted; the empty tree where they have nothing in common."""
        try:
            return self.git("merge-base", one, other).decode().strip()
        except TutorialError:
            return EMPTY_TREE


def clean_environment() -> dict[str, str]:
    """Return our environment without what a git hook, or a person's `-c`, adds to it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def prepare(state: Path, owner: str = OWNER) -> Repository:
    """Make the repository, or a fork, where there is none, (re)write its hook, and return it.

    Safe to call at every start: what was pushed stays.
    """
    state.mkdir(parents=True, exist_ok=True)
    repository = Repository(state, owner)
    if not (repository.path / "HEAD").exists():
        repository.path.mkdir(parents=True, exist_ok=True)
        repository.git("init", "--quiet", "--bare", f"--initial-branch={DEFAULT_BRANCH}", ".")
        repository.git("config", "include.path", "tutorial.config")
    hooks = str(repository.path.resolve() / "hooks").replace("\\", "\\\\").replace('"', '\\"')
    _write(repository.path / "tutorial.config", SETTINGS.format(hooks=f'"{hooks}"'), 0o644)
    folder = repository.path / "hooks"
    folder.mkdir(exist_ok=True)
    words = {"python": shlex.quote(sys.executable), "state": shlex.quote(str(state.resolve()))}
    _write(folder / "post-receive", HOOK.format(**words, owner=owner), 0o755)
    if not repository.is_fork:
        _write(folder / "pre-receive", GUARD.format(**words), 0o755)
    return repository


def _write(path: Path, text: str, mode: int) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.chmod(mode)
    part.replace(path)
