"""Where a model comes from, as digests: the commit, the locked packages, and all that went in together."""

import hashlib
import json
import subprocess
from pathlib import Path

from app.parameters import Parameters

LOCKS = ("app/requirements.txt", "notebooks/requirements.txt")
NOTEBOOK = "notebooks/train.ipynb"
# What a commit has to hold, if somebody is to train the same model from it.
INPUTS = ("app", "data", "params.yaml", "notebooks", "scripts/train.py")


class ProvenanceError(RuntimeError):
    """A training that nobody could repeat. The message says why and what to do."""


def git_commit() -> str:
    """Return the commit of this folder, with "-dirty" behind it where its inputs were changed since.

    Raises `ProvenanceError`.
    """
    commit = _git("rev-parse", "--verify", "--quiet", "HEAD").stdout.strip()
    if not commit:
        raise ProvenanceError(
            "This folder has no commit, so nobody could train the same again: run git init, "
            "git add . and git commit."
        )
    changed = _git("status", "--porcelain", "--untracked-files=normal", "--", *INPUTS)
    if changed.returncode:
        why = changed.stderr.strip().splitlines()[-1]
        raise ProvenanceError(f"git cannot tell what was changed since the commit: {why}.")
    return commit + ("-dirty" if changed.stdout else "")


def lock_digest() -> str:
    """sha256 (hexadecimal) over the files that name every package's version. Raises `ProvenanceError`."""
    digest = hashlib.sha256()
    for path in LOCKS:
        digest.update(_content(Path(path)) + b"\0")
    return digest.hexdigest()


def input_digest(parameters: Parameters, data: str, test: str) -> str:
    """sha256 (hexadecimal) over all that decides what model comes out.

    That is the parameters, the digests of both sets of reviews, the notebook's cells (not what they
    printed), the app's code and the locked packages; neither the commit, nor who trains, nor where.
    """
    cells = json.loads(_content(Path(NOTEBOOK)))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    parts = [json.dumps(parameters.as_dict(), sort_keys=True), data, test, *code, lock_digest()]
    for path in sorted(Path("app").rglob("*.py")):
        parts += [path.as_posix(), hashlib.sha256(_content(path)).hexdigest()]
    # As JSON: so two lists of parts are never one text.
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ProvenanceError(f"{path} cannot be read ({error.strerror}): commit it.") from None


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["git", *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        raise ProvenanceError("git is missing: install it, for a run names its commit.") from None
