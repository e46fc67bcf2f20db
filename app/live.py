"""The model that answers now: loaded in the background, looked after, described by its card."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.settings import Settings
from app.sources import SourceError, fetch

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# What a card tells where the source can prove it. What it cannot prove is null: "nobody can tell".
PROVABLE = ("version", "run", "code", "data", "accuracy")

# How long a version that was refused is left alone: to fetch and load it takes seconds of a core.
SECONDS_OF_REFUSAL = 60.0


class UnusableModelError(RuntimeError):
    """A model that was fetched and cannot serve. The message says why."""


@dataclass(frozen=True)
class Refusal:
    """A version that cannot serve, why, and until when (of the monotonic clock) it is left alone."""

    version: str
    why: str
    until: float


@dataclass(frozen=True)
class Serving:
    """A model that passed its own example, where it came from and since when it answers."""

    model: "Pipeline"
    uri: str
    version: str
    digest: str
    since: str
    proof: Mapping[str, str]


class Live:
    """Holds the model in service.

    A refresh that fails leaves the former model in place, and the card tells of it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.serving: Serving | None = None
        self.problem: str | None = None
        self.checked: str | None = None
        self._refusal: Refusal | None = None
        self._looked = threading.Event()
        self._refreshing = threading.Lock()

    def refresh(self) -> None:
        """Look at the source once; a new model that predicts its own example goes into service."""
        with self._refreshing:
            uri = self.settings.model_uri
            try:
                self._look(uri)
                self.problem = self._refusal.why if self._refusal else None
            except SourceError as error:
                self.problem = str(error)
            except Exception as error:  # whatever a source does, the model in service answers on
                kind = type(error).__name__
                self.problem = f"The model at {uri} could not be looked at: {kind}: {error}"
            self.checked = now()
            self._looked.set()

    def _look(self, uri: str) -> None:
        if self._refusal and time.monotonic() >= self._refusal.until:
            self._refusal = None
        seen = self._refusal or self.serving
        fetched = fetch(uri, seen.version if seen else None)
        if fetched is None:
            return
        self._refusal = None
        if self.serving and fetched.version == self.serving.version:
            # What was refused has been taken back.
            self.serving = replace(self.serving, proof=fetched.proof)
            return
        try:
            model, digest = _load(fetched.path, uri)
            self.serving = Serving(model, uri, fetched.version, digest, now(), fetched.proof)
        except UnusableModelError as error:
            until = time.monotonic() + SECONDS_OF_REFUSAL
            self._refusal = Refusal(fetched.version, str(error), until)

    def wait(self, seconds: float) -> Serving | None:
        """Return the model in service, waiting for the first look at the source for `seconds` at most."""
        self._looked.wait(seconds)
        return self.serving

    def card(self) -> dict[str, Any]:
        """What `GET /model` answers: `status` is "serving" or "unavailable", `problem` why the last look failed."""
        serving = self.serving
        return {
            "status": "serving" if serving else "unavailable",
            "uri": self.settings.model_uri,
            "digest": serving.digest if serving else None,
            "since": serving.since if serving else None,
            **{name: serving.proof.get(name) if serving else None for name in PROVABLE},
            "example": dict(serving.model.example_) if serving else None,
            "checked": self.checked,
            "problem": self.problem if self.checked else "The model is being loaded.",
        }


def _load(path: Path, uri: str) -> "tuple[Pipeline, str]":
    """Return a model and its digest. Raises `UnusableModelError`, which names it by its URI."""
    # Here and not above: these take seconds, and the server binds its port before.
    from app.model import ModelError
    from app.model_file import load, model_digest

    try:
        model = load(path)
    except ModelError as error:
        raise UnusableModelError(str(error).replace(str(path), uri)) from error
    return model, model_digest(model)


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
