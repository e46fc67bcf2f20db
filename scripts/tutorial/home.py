"""Where things are: the project, the reader's workspace, and the state of everything that runs."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Home:
    """All state of one reader. `root` is what is ours to write, `workspace` the reader's repository."""

    root: Path
    workspace: Path

    @classmethod
    def current(cls, environment: Mapping[str, str] = os.environ) -> "Home":
        """Return the home that `TUTORIAL_HOME` names, or the one in the project's folder."""
        named = environment.get("TUTORIAL_HOME")
        if not named:
            return cls(PROJECT / ".tutorial", PROJECT / "workspace")
        root = Path(named).expanduser().resolve()
        return cls(root, root / "workspace")

    def environment(self) -> dict[str, str]:
        """Return the environment of a process that belongs to this home."""
        inherited = {name: value for name, value in os.environ.items() if name != "TUTORIAL_HOME"}
        named = {} if self == Home.current({}) else {"TUTORIAL_HOME": str(self.root)}
        own = {"CORPORA_CACHE": str(self.root / "corpora"), "PYTHONUNBUFFERED": "1"}
        return {**inherited, **named, **own}

    def record(self, name: str, content: Mapping[str, Any]) -> None:
        """Keep a small JSON record, whole or not at all, for its owner's eyes only."""
        self.root.mkdir(parents=True, exist_ok=True)
        part = self.root / f".{name}.json.{os.getpid()}"
        part.touch(mode=0o600)
        part.write_text(json.dumps(content, indent=1), encoding="utf-8")
        part.replace(self.root / f"{name}.json")

    def recall(self, name: str) -> dict[str, Any] | None:
        """Return the record of that name, or None where there is none or it cannot be read."""
        try:
            content = json.loads((self.root / f"{name}.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def forget(self, name: str) -> None:
        """Drop a record."""
        (self.root / f"{name}.json").unlink(missing_ok=True)
