"""What follows a champion: the copy that the app falls back to, the data, and the app itself."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from botocore.exceptions import BotoCoreError, ClientError

from app.data import DataError, data_digest, read_reviews
from app.sources.s3 import split
from app.sources.s3_errors import advice
from bucket import Place, connect
from candidate import Candidate
from champion import PromotionError
from upload import upload

Say = Callable[[str], object]
DATA = ("data/train.csv", "data/test.csv")
PAUSE = 0.2  # seconds between two looks


def destination() -> str:
    """Return MODEL_FALLBACK_URI, a file in S3. Raises `PromotionError` or `SourceError`."""
    uri = os.environ.get("MODEL_FALLBACK_URI")
    if not uri:
        raise PromotionError("MODEL_FALLBACK_URI is not set: set it to s3://BUCKET/KEY.")
    split(uri)
    return uri


def publish(champion: Candidate, fallback: str, say: Say) -> None:
    """Copy the champion's file to `fallback`, and the data here to its bucket if it is the champion's.

    Doing it again changes nothing. Raises `PromotionError`.
    """
    bucket, key = split(fallback)
    try:
        s3 = connect()
    except (BotoCoreError, ValueError) as error:
        raise PromotionError(f"{fallback}: {advice(error)}, and run this again.") from None
    _upload(s3, champion.path, {"Bucket": bucket, "Key": key}, say)
    try:
        ours = data_digest(read_reviews(DATA[0]))
    except DataError as error:
        say(f"The data is not published: {error}")
        return
    if ours != champion.data:
        say(f"The data is not published: {DATA[0]} is not what trained this model.")
        return
    for name in DATA:
        _upload(s3, Path(name), {"Bucket": bucket, "Key": name}, say)


def _upload(s3: Any, path: Path, place: Place, say: Say) -> None:
    uri = f"s3://{place['Bucket']}/{place['Key']}"
    try:
        done = upload(s3, place, path)
    except (BotoCoreError, ClientError) as error:
        raise PromotionError(
            f"{uri} is not the champion's yet: {advice(error)}, and run this again."
        ) from None
    except OSError as error:
        raise PromotionError(f"{path} cannot be read ({error.strerror}): see to it.") from None
    say(f"{uri}\n  {done}")


def card_of(app: str) -> dict[str, Any]:
    """Return what `GET /model` of the app at an address says. Raises `PromotionError`."""
    try:
        card = requests.get(f"{app.rstrip('/')}/model", timeout=(5, 30)).json()
    except (requests.RequestException, ValueError):
        raise PromotionError(f"{app} does not answer with a model's card.") from None
    return dict(card)


def wait_for(candidate: Candidate, app: str | None, seconds: float, say: Say) -> None:
    """Wait until the app at an address answers with a version, for so many seconds at most.

    Without an address there is nothing to wait for. Raises `PromotionError`, which says what the
    app answers with instead, and why.
    """
    wanted, started = (candidate.version, candidate.digest, False), time.monotonic()
    while app:
        try:
            card = card_of(app)
            if (card["version"], card["digest"], card["fallback"]) == wanted:
                took = time.monotonic() - started
                say(f"{app} answers with version {candidate.version}, after {took:.1f} s.")
                return
            why = (card["problem"] or "it has seen no other").rstrip(".")
            said = f"{app} answers with version {card['version']} of {card['uri']} ({why})"
        except PromotionError as error:
            said = str(error).rstrip(".")
        if time.monotonic() - started > seconds:
            raise PromotionError(f"After {seconds:g} s {said}, not with version {wanted[0]}.")
        time.sleep(PAUSE)
