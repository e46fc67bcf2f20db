"""A model in MLflow's registry: an alias names the version that is live, its tags what is known of it."""

import re
from datetime import UTC, datetime
from typing import Any

from app.sources import Fetched, SourceError
from app.sources.registry_client import client, file_of
from app.sources.registry_errors import in_a_sentence


def fetch(uri: str, known_version: str | None = None) -> Fetched | None:
    """Fetch what `models:/NAME@ALIAS` or `models:/NAME/VERSION` names; None where it did not change.

    A look is one small request. What was fetched before is not downloaded again.
    """
    name, alias, number = split(uri)
    with in_a_sentence(uri):
        if alias:
            version = client().get_model_version_by_alias(name, alias)
        else:
            version = client().get_model_version(name, number)
        seen = f"{version.version} {version.tags.get('file_sha256')}"
        return None if seen == known_version else Fetched(file_of(version), seen, proof_of(version))


def split(uri: str) -> tuple[str, str, str]:
    """Return the name, and the alias or the version, one of them empty. Raises `SourceError`."""
    match = re.fullmatch(r"(?i:models):/([^/@:]+)(?:@([\w-]+)|/([1-9]\d*))", uri, re.ASCII)
    if not match or not uri.isprintable():
        raise SourceError(
            f"{uri!r} names no registered model: write models:/NAME@ALIAS or models:/NAME/VERSION."
        )
    return match[1], match[2] or "", match[3] or ""


def proof_of(version: Any) -> dict[str, str]:
    """Return what the training wrote down of a version: facts by name, those that are there."""
    made = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
    tags = version.tags
    rows = f" ({tags['data_rows']} rows)" if "data_rows" in tags else ""
    facts = {
        "version": version.version,
        "registered": made.isoformat(timespec="seconds"),
        "run": version.run_id,
        "code": tags.get("git_commit"),
        "data": tags["data_digest"] + rows if "data_digest" in tags else None,
        "accuracy": tags.get("test_accuracy"),
        "digest": tags.get("model_digest"),
    }
    return {name: fact for name, fact in facts.items() if fact}
