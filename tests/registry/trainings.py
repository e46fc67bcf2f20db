"""Trainings that a real registry knows: what they say of themselves, and what they logged."""

from dataclasses import dataclass
from pathlib import Path

from app import registration
from app.sources import registry_client, s3

BUCKET = "reviews-of-a-reader"
FALLBACK = f"s3://{BUCKET}/models/sentiment.skops"
PASSWORD = "correct-horse-battery"  # noqa: S105

FACTS = {"input_digest": "1" * 64, "git_commit": "c" * 40, "lock_digest": "2" * 64}
FIGURES = dict(zip(registration.METRICS, (0.833, 0.81, 0.853, 1002), strict=True))


@dataclass(frozen=True)
class Logged:
    """A run that ended well, the model that it logged, that model's digest and a file of it."""

    run_id: str
    model_id: str
    digest: str
    path: Path


def start_anew() -> None:
    """Read the settings again, as a process does when it starts."""
    registry_client.client.cache_clear()
    registry_client._folder.cache_clear()
    s3.client.cache_clear()
