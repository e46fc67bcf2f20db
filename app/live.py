"""The model that answers now: loaded in the background, looked after, described by its card."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from app.settings import Settings
from app.sources import Fetched, SourceError, fetch

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# What a card tells where the source can prove it. What it cannot prove is null: "nobody can tell".
PROVABLE = ("version", "registered", "run", "code", "data", "accuracy")

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

    A refresh that fails leaves the former model in place, and the card tells of it. Where there is
    none yet, the model at the settings' `fallback_uri` stands in until a refresh succeeds.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.serving: Serving | None = None
        self.problem: str | None = None
        self.problem_since: str | None = None
        self.checked: str | None = None
        self._refusals: dict[str, Refusal] = {}  # by URI
        self._looked = threading.Event()
        self._refreshing = threading.Lock()

    def refresh(self) -> None:
        """Look at the source once; a new model that predicts its own example goes into service."""
        with self._refreshing:
            problem = self._try(self.settings.model_uri)
            if problem and not self.serving and self.settings.fallback_uri:
                nor = self._try(self.settings.fallback_uri)
                problem = f"{problem.rstrip('.')}; and the fallback: {nor}" if nor else problem
            self.checked = now()
            self.problem_since = (self.problem_since or self.checked) if problem else None
            self.problem = problem
            self._looked.set()

    def _try(self, uri: str) -> str | None:
        """Look at a source once. Return why no model of it can serve, or None where one does."""
        try:
            self._look(uri)
        except SourceError as error:
            return str(error)
        except Exception as error:  # whatever a source does, the model in service answers on
            kind = type(error).__name__
            return f"The model at {uri} could not be looked at: {kind}: {error}"
        return self._refusals[uri].why if uri in self._refusals else None

    def _look(self, uri: str) -> None:
        refusal = self._refusals.get(uri)
        if refusal and time.monotonic() >= refusal.until:
            del self._refusals[uri]
            refusal = None
        serving = self.serving if self.serving and self.serving.uri == uri else None
        seen = refusal or serving
        fetched = fetch(uri, seen.version if seen else None)
        if fetched is None:
            return
        self._refusals.pop(uri, None)
        if serving and fetched.version == serving.version:
            # What was refused has been taken back.
            self.serving = replace(serving, proof=fetched.proof)
            return
        try:
            model, digest = _load(fetched, uri)
            self.serving = Serving(model, uri, fetched.version, digest, now(), fetched.proof)
        except UnusableModelError as error:
            until = time.monotonic() + SECONDS_OF_REFUSAL
            self._refusals[uri] = Refusal(fetched.version, str(error), until)

    def wait(self, seconds: float) -> Serving | None:
        """Return the model in service, waiting for the first look at the source for `seconds` at most."""
        self._looked.wait(seconds)
        return self.serving

    def card(self) -> dict[str, Any]:
        """What `GET /model` answers.

        `status` is "serving" or "unavailable"; `uri` is where the model in service came from, and
        `fallback` whether that is not where it should; `problem` is why the last look failed, and
        `problem_since` when that began.
        """
        serving, uri = self.serving, self.settings.model_uri
        return {
            "status": "serving" if serving else "unavailable",
            "uri": serving.uri if serving else uri,
            "fallback": bool(serving and serving.uri != uri),
            "digest": serving.digest if serving else None,
            "since": serving.since if serving else None,
            **{name: serving.proof.get(name) if serving else None for name in PROVABLE},
            "example": dict(serving.model.example_) if serving else None,
            "checked": self.checked,
            "problem": self.problem if self.checked else "The model is being loaded.",
            "problem_since": self.problem_since,
        }


def _load(fetched: Fetched, uri: str) -> "tuple[Pipeline, str]":
    """Return a model and its digest. Raises `UnusableModelError`, which names it by its URI."""
    # Here and not above: these take seconds, and the server binds its port before.
    from app.model import ModelError
    from app.model_file import load, model_digest

    try:
        model = load(fetched.path)
    except ModelError as error:
        raise UnusableModelError(str(error).replace(str(fetched.path), uri)) from error
    digest = model_digest(model)
    if fetched.proof.get("digest", digest) != digest:
        raise UnusableModelError(
            f"{uri} is not the model that was registered: its digest is {digest[:12]}, not "
            f"{fetched.proof['digest'][:12]}."
        )
    return model, digest


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
