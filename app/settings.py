"""Settings of the app, read from the environment: all that differs between laptop and cloud."""

import os
from collections.abc import Mapping
from dataclasses import dataclass


class SettingsError(ValueError):
    """A setting that cannot be used. The message says which one and what to do."""


@dataclass(frozen=True)
class Settings:
    """Where the model comes from, and how often the app looks there again.

    `model_uri` is `MODEL_URI`: a path, or a URI whose scheme names a module of `app.sources`.
    `refresh_seconds` is `MODEL_REFRESH_SECONDS`: the pause between two looks at the source.
    `fallback_uri` is `MODEL_FALLBACK_URI`: where a model is if there is none there at the start; "" for none.
    """

    model_uri: str = "models/sentiment.skops"
    refresh_seconds: float = 60.0
    fallback_uri: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings. A variable that is unset or empty takes its default; raises `SettingsError`."""
        seconds = environment.get("MODEL_REFRESH_SECONDS") or str(cls.refresh_seconds)
        try:
            refresh_seconds = float(seconds)
        except ValueError:
            refresh_seconds = 0.0
        if not 0.1 <= refresh_seconds <= 86_400:
            raise SettingsError(
                f"MODEL_REFRESH_SECONDS is {seconds!r}: set it to a number of seconds between 0.1 and 86400."
            )
        uri = environment.get("MODEL_URI") or cls.model_uri
        return cls(uri, refresh_seconds, environment.get("MODEL_FALLBACK_URI") or "")
