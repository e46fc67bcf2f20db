"""The registry's side of a promotion: who is champion, who made it so, why, and what was before."""

import os
import subprocess
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from app.sources.registry_client import client
from app.sources.registry_errors import in_a_sentence

ALIAS = "champion"
LONGEST = 1000  # characters of a tag
GOING_BACK = "going_back_to"  # tag of the model until a rollback has done all that it has to


class PromotionError(RuntimeError):
    """A promotion that is not made, or not all of it. The message says why, and what to do."""


class Champion:
    """The alias `champion` of a registered model. All that asks the registry may raise `SourceError`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def version(self, number: str) -> Any:
        """Return a version: its `version`, `tags` and `run_id` among others."""
        with self._told(f"/{number}"):
            return client().get_model_version(self.name, number)

    def now(self) -> Any | None:
        """Return the version that is champion, or None where none is."""
        with self._told(""):
            number = client().get_registered_model(self.name).aliases.get(ALIAS)
        return self.version(number) if number else None

    def promote(self, version: Any, who: str, why: str) -> Any | None:
        """Make a version champion; return the former one. What is to be known of it is there before.

        Of one that is champion already the former is as it was written down.
        """
        former = self.now()
        with self._told(f"/{version.version}"):
            if GOING_BACK in client().get_registered_model(self.name).tags:
                self.gone_back()
        if former and former.version == version.version:
            return self.before(version) if "promoted_by" in version.tags else version
        self._write_down(version, "promoted", who, why)
        with self._told(f"/{version.version}"):
            if former:
                self._tag(version, "former_version", former.version)
            client().set_registered_model_alias(self.name, ALIAS, version.version)
        return former

    def before(self, version: Any) -> Any | None:
        """Return the version to go back to, which is `version` where going back was interrupted."""
        with self._told(""):
            target = client().get_registered_model(self.name).tags.get(GOING_BACK)
        if target == version.version:
            return version
        former = version.tags.get("former_version")
        return self.version(former) if former else None

    def go_back(self, version: Any, former: Any | None, who: str, why: str) -> None:
        """Make the former version champion again, or none where there was none."""
        self._write_down(version, "rolled_back", who, why)
        with self._told(""):
            if former:
                client().set_registered_model_tag(self.name, GOING_BACK, former.version)
                client().set_registered_model_alias(self.name, ALIAS, former.version)
            else:
                client().delete_registered_model_alias(self.name, ALIAS)

    def gone_back(self) -> None:
        """Write down that nothing of a rollback is left to do."""
        with self._told(""):
            client().delete_registered_model_tag(self.name, GOING_BACK)

    def _write_down(self, version: Any, what: str, who: str, why: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._told(f"/{version.version}"):
            for name, value in (("by", who), ("why", why), ("at", now)):
                self._tag(version, f"{what}_{name}", value[:LONGEST])

    def _tag(self, version: Any, name: str, value: str) -> None:
        client().set_model_version_tag(self.name, version.version, name, value)

    def _told(self, which: str) -> AbstractContextManager[None]:
        return in_a_sentence(f"models:/{self.name}{which}")


def named(version: Any | None) -> str:
    """Say which version it is, in part of a sentence."""
    return f"version {version.version}" if version else "none"


def whoami() -> str:
    """Return who runs this: GitHub's actor, or the name that git knows. Raises `PromotionError`."""
    if actor := os.environ.get("GITHUB_ACTOR"):
        return actor
    done = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True)
    if name := done.stdout.strip():
        return name
    raise PromotionError("Nobody knows who you are: say it with --by NAME.")
