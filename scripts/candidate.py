"""A version that may become champion: only one whose model is what its record says, and which works."""

from dataclasses import dataclass
from pathlib import Path

from app.model import ModelError
from app.model_file import load, model_digest
from app.sources import fetch
from champion import PromotionError


@dataclass(frozen=True)
class Candidate:
    """A version's file, the digests of its model and its data, and what its record says in words."""

    version: str
    path: Path
    digest: str
    data: str
    record: str


def examine(name: str, number: str) -> Candidate:
    """Fetch a version and try its example, as the app will. Raises `PromotionError` or `SourceError`."""
    uri = f"models:/{name}/{number}"
    fetched = fetch(uri)
    if fetched is None:
        raise PromotionError(f"{uri} gave no model: try again.")
    proof = fetched.proof
    missing = [fact for fact in ("run", "code", "data", "accuracy", "digest") if fact not in proof]
    if missing:
        raise PromotionError(f"{uri} does not say its {missing[0]}: train and register it again.")
    try:
        digest = model_digest(load(fetched.path))
    except ModelError as error:
        raise PromotionError(str(error).replace(str(fetched.path), uri)) from None
    if digest != proof["digest"]:
        raise PromotionError(f"{uri} is not the model that was registered: its digest differs.")
    record = (
        f"Version {number}: model {digest[:12]}, accuracy {proof['accuracy']},\n"
        f"  trained by run {proof['run']}, with code {proof['code'][:12]}, on data {proof['data'][:12]}"
    )
    return Candidate(number, fetched.path, digest, proof["data"].split(" ")[0], record)
