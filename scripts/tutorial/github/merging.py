"""Commits that the local GitHub makes itself: the trial merge of a pull request, and the merge for good."""

import os
import subprocess

from tutorial.errors import TutorialError
from tutorial.github.repository import Repository, clean_environment
from tutorial.github.store import Row

METHODS = ("merge", "squash")


def head_ref(number: int) -> str:
    """Return the ref of a pull request's last commit."""
    return f"refs/pull/{number}/head"


def merge_ref(number: int) -> str:
    """Return the ref of a pull request's trial merge."""
    return f"refs/pull/{number}/merge"


def merged_tree(repository: Repository, base: str, head: str) -> str | None:
    """Return the tree of both commits together, None where they conflict."""
    done = subprocess.run(
        ["git", "merge-tree", "--write-tree", "--no-messages", base, head],
        cwd=repository.path,
        env={**clean_environment(), "GIT_CONFIG_GLOBAL": os.devnull},
        capture_output=True,
        text=True,
    )
    if done.returncode not in (0, 1):
        words = done.stderr.strip().splitlines()
        raise TutorialError(
            f"git merge-tree failed ({words[-1] if words else 'no reason'}): git 2.38 or newer is needed."
        )
    return done.stdout.split()[0] if done.returncode == 0 else None


def commit_tree(
    repository: Repository, tree: str, parents: tuple[str, ...], author: str, message: str
) -> str:
    """Make a commit of no branch yet and return it."""
    who = []
    for role, name in (("author", author), ("committer", "GitHub")):
        who += ["-c", f"{role}.name={name}", "-c", f"{role}.email={name}@localhost"]
    ancestry = [word for parent in parents for word in ("-p", parent)]
    made = repository.git(*who, "commit-tree", tree, *ancestry, "-m", message)
    return made.decode().strip()


def try_merge(repository: Repository, pull: Row, base: str) -> str | None:
    """Make the trial merge of a pull request with the base and return it; None where they conflict."""
    number, head = pull["id"], pull["head_sha"]
    tree = merged_tree(repository, base, head)
    if tree is None:
        repository.git("update-ref", "-d", merge_ref(number))
        return None
    made = commit_tree(repository, tree, (base, head), pull["author"], f"Merge {head} into {base}")
    repository.git("update-ref", merge_ref(number), made)
    return made


def make_merge(
    repository: Repository, pull: Row, method: str, by: str, title: str | None, message: str | None
) -> str | None:
    """Make the commit that merges a pull request into its base; None where they conflict."""
    tree = merged_tree(repository, pull["base_sha"], pull["head_sha"])
    if tree is None:
        return None
    number, base = pull["id"], pull["base_sha"]
    if method == "merge":
        source = f"{pull['head_owner']}/{pull['head_ref']}"
        first = title or f"Merge pull request #{number} from {source}"
        text = pull["title"] if message is None else message
        parents: tuple[str, ...] = (base, pull["head_sha"])
    else:
        first = title or f"{pull['title']} (#{number})"
        text = _messages(repository, pull) if message is None else message
        parents, by = (base,), pull["author"]
    return commit_tree(repository, tree, parents, by, f"{first}\n\n{text}".strip())


def _messages(repository: Repository, pull: Row) -> str:
    """Return the titles of the commits that are made one, as a list where they are several."""
    between = f"{pull['base_sha']}..{pull['head_sha']}"
    titles = repository.git("log", "--reverse", "--no-merges", "--format=%s", between)
    lines = titles.decode("utf-8", "replace").splitlines()
    return "" if len(lines) < 2 else "\n".join(f"* {line}" for line in lines)
