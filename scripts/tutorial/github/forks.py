"""Forks: somebody's own copy of the repository, to which the owner's rules do not reach."""

from pathlib import Path

from tutorial.github.people import LOGIN
from tutorial.github.refusals import invalid
from tutorial.github.repository import OWNER, Repository, prepare


def fork(state: Path, login: str) -> Repository:
    """Return somebody's fork; it is made, with the branches of the repository, where there is none."""
    if login == OWNER or not LOGIN.fullmatch(login):
        raise invalid("Fork", "owner", f"{login} cannot have a fork: name another account.")
    made = Repository(state, login)
    if (made.path / "complete").exists():
        return made
    made = prepare(state, login)
    made.git("fetch", "--quiet", Repository(state).url, "+refs/heads/*:refs/heads/*")
    (made.path / "complete").touch()
    return made


def bring(repository: Repository, source: Repository, commit: str) -> None:
    """Bring a fork's commit here: GitHub's forks share their objects."""
    if source.is_fork:
        repository.git("fetch", "--quiet", "--no-tags", source.url, commit)
