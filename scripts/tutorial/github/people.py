"""Who acts: people of this machine, Apps, and the jobs of runs; and what each may do."""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from tutorial.errors import TutorialError
from tutorial.github.refusals import RefusalError
from tutorial.github.repository import OWNER

COLLEAGUE = "maintainer"  # may write, and so review and merge
JOBS = "github-actions[bot]"
LOGIN = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}")
PERMISSIONS = (
    *("actions", "administration", "checks", "contents", "deployments", "environments"),
    *("issues", "metadata", "packages", "pages", "pull_requests", "secrets", "statuses"),
    *("variables", "workflows"),
)
LEVELS = ("none", "read", "write")
# What a person's role on the repository allows. Anybody may open, comment and review.
ROLES: Mapping[str, Mapping[str, str]] = {
    "admin": dict.fromkeys(PERMISSIONS, "write"),
    "write": {**dict.fromkeys(PERMISSIONS, "write"), "administration": "none"},
    "read": {**dict.fromkeys(PERMISSIONS, "read"), "administration": "none"},
}


@dataclass(frozen=True)
class Actor:
    """Somebody, or something, that acts. `permissions` are those of the token, or of the person."""

    login: str
    permissions: Mapping[str, str] = field(default_factory=dict)
    is_person: bool = False

    @property
    def starts_runs(self) -> bool:
        """Tell whether what it does starts workflows: a job's token does not, or runs would never end."""
        return self.login != JOBS

    def may(self, permission: str, level: str = "write") -> bool:
        """Tell whether it has a permission, at that level or above."""
        return LEVELS.index(self.permissions.get(permission, "none")) >= LEVELS.index(level)

    def demand(self, *either: str, level: str = "write", anybody: bool = False) -> None:
        """Raise `RefusalError` where it has none of the permissions; `anybody` lets every person pass."""
        if (anybody and self.is_person) or any(self.may(one, level) for one in either):
            return
        if self.is_person:
            raise RefusalError(403, f"{self.login} may not do that here: it takes a maintainer.")
        raise RefusalError(403, "Resource not accessible by integration")


def person(login: str) -> Actor:
    """Return a person: the owner, a colleague who may write, or anybody, who may read."""
    if not LOGIN.fullmatch(login):
        raise TutorialError(
            f"{login!r} is no name of an account: use up to 39 letters, digits and single hyphens."
        )
    role = {OWNER: "admin", COLLEAGUE: "write"}.get(login, "read")
    return Actor(login, ROLES[role], is_person=True)


def identity(login: str) -> int:
    """Return the number of an account: always the same."""
    return 1_000_000 + zlib.crc32(login.encode()) % 100_000_000
