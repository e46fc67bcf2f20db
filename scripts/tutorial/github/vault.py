"""Secrets and variables of the repository, set by the reader."""

import json
import os
import re
from pathlib import Path

from tutorial.errors import TutorialError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LARGEST = 48 * 1024  # bytes; GitHub's own limit


class Vault:
    """Two files in the state's folder. The secrets' is its owner's alone to read."""

    def __init__(self, state: Path) -> None:
        self._secrets = state / "secrets.json"
        self._variables = state / "variables.json"

    def set_secret(self, name: str, value: str) -> None:
        """Keep a secret; a name or a value that GitHub refuses is a `TutorialError`."""
        self._set(self._secrets, "secret", name, value, 0o600)

    def set_variable(self, name: str, value: str) -> None:
        """Keep a variable; a name or a value that GitHub refuses is a `TutorialError`."""
        self._set(self._variables, "variable", name, value, 0o644)

    def remove_secret(self, name: str) -> None:
        """Forget a secret; one that is not there is forgotten already."""
        kept = self.secrets()
        if kept.pop(name.upper(), None) is not None:
            _write(self._secrets, kept, 0o600)

    def secrets(self) -> dict[str, str]:
        """Return the secrets by name."""
        return _read(self._secrets)

    def variables(self) -> dict[str, str]:
        """Return the variables by name."""
        return _read(self._variables)

    def _set(self, path: Path, kind: str, name: str, value: str, mode: int) -> None:
        if not NAME.fullmatch(name):
            raise TutorialError(
                f"{name!r} is no name of a {kind}: use letters, digits and _, no digit first."
            )
        if name.upper().startswith("GITHUB_"):
            raise TutorialError(f"The name of a {kind} may not start with GITHUB_: choose another.")
        if len(value.encode("utf-8", "surrogateescape")) > LARGEST:
            raise TutorialError(
                f"The {kind} {name.upper()} is larger than 48 kB: GitHub refuses it."
            )
        if kind == "variable" and not value:
            raise TutorialError(f"The variable {name.upper()} is empty: GitHub refuses it.")
        _write(path, {**_read(path), name.upper(): value}, mode)


def _read(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise TutorialError(f"{path} cannot be read: remove it and set its values again.") from None
    return {str(name): str(value) for name, value in content.items()}


def _write(path: Path, content: dict[str, str], mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        json.dump(content, file, indent=1)
    part.replace(path)
