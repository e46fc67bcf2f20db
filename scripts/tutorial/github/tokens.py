"""Tokens: what they may do, until when. The store holds their digests alone."""

import hashlib
import json
import secrets
import time
from collections.abc import Mapping

from tutorial.github.people import JOBS, Actor, person
from tutorial.github.store import Store

HOUR = 3600.0  # seconds
DAY = 24 * HOUR
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def issue(
    store: Store,
    kind: str,
    owner: str,
    permissions: Mapping[str, str],
    seconds: float = HOUR,
) -> tuple[str, float]:
    """Return a new token of an app, a job or a person, and when it expires (seconds since 1970)."""
    prefix = "ghp_" if kind == "person" else "ghs_"
    token = prefix + "".join(secrets.choice(ALPHABET) for _ in range(36))
    expires = time.time() + seconds
    store.insert(
        "tokens",
        digest=_digest(token),
        kind=kind,
        owner=owner,
        permissions=json.dumps(dict(permissions)),
        expires=expires,
    )
    return token, expires


def person_token(store: Store, login: str) -> str:
    """Return a personal access token: what the person may do, for a day."""
    return issue(store, "person", login, person(login).permissions, DAY)[0]


def actor_of(store: Store, token: str) -> Actor | None:
    """Return who has the token; None where it is unknown, revoked or expired."""
    rows = store.rows("SELECT * FROM tokens WHERE digest = ?", _digest(token))
    if not rows or rows[0]["expires"] <= time.time():
        return None
    row = rows[0]
    if row["kind"] == "person":
        return person(row["owner"])
    login = JOBS if row["kind"] == "job" else f"{row['owner']}[bot]"
    return Actor(login, json.loads(row["permissions"]))


def revoke(store: Store, token: str) -> None:
    """End a token; one that has ended stays so."""
    store.delete("tokens", digest=_digest(token))


def revoke_jobs(store: Store, job: int | None = None) -> None:
    """End the token of a job, or those of all jobs."""
    owner = {} if job is None else {"owner": str(job)}
    store.delete("tokens", kind="job", **owner)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
