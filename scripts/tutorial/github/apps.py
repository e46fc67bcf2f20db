"""GitHub Apps: made here, proved by a signed JWT, acting by a token that is narrow and short.

After "Generating a JSON Web Token (JWT) for a GitHub App" of GitHub's documentation.
"""

import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tutorial.errors import TutorialError
from tutorial.github import tokens
from tutorial.github.people import LEVELS, PERMISSIONS
from tutorial.github.refusals import RefusalError, not_found
from tutorial.github.repository import NAME
from tutorial.github.store import Row, Store

LONGEST = 600  # seconds that a JWT may be good for
CLOCKS = 60  # seconds by which clocks may differ
# Apart from each other and from a row's number: who takes one for another is told at once.
APP, INSTALLATION = 200_000, 70_000_000


@dataclass(frozen=True)
class App:
    """What a person gets who makes an App. The key is shown this once."""

    slug: str
    client_id: str
    private_key: str


def register(store: Store, name: str, permissions: Mapping[str, str]) -> App:
    """Make an App and install it on the repository; `TutorialError` for a name or permission that cannot be."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not slug or len(name) > 34:
        raise TutorialError(f"{name!r} is no name of an App: use 1 to 34 letters and digits.")
    for permission, level in permissions.items():
        if permission not in PERMISSIONS or level not in LEVELS:
            raise TutorialError(f"An App has no permission {permission}: {level}.")
    if _apps(store, "slug", slug):
        raise TutorialError(f"There is an App {name} already: choose another name.")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    app = App(
        slug,
        f"Iv23li{secrets.token_hex(7)}",
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    store.insert(
        "apps",
        slug=slug,
        name=name,
        client_id=app.client_id,
        public_key=public.decode(),
        permissions=json.dumps({"metadata": "read", **permissions}),
        created=time.time(),
    )
    return app


def sign(client_id: str, private_key: str) -> str:
    """Return a JWT that proves an App for ten minutes; `ValueError` where the key is none."""
    now = int(time.time())
    # A minute back, as GitHub advises: clocks differ.
    claims = {"iat": now - CLOCKS, "exp": now + LONGEST - CLOCKS, "iss": client_id}
    try:
        return jwt.encode(claims, private_key, algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError):
        raise ValueError("the private key is no RSA key in PEM") from None


def authenticate(store: Store, token: str) -> Row:
    """Return the App that a JWT proves; `RefusalError` 401 in GitHub's words."""
    undecodable = RefusalError(401, "A JSON web token could not be decoded")
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        issuer = str(claims.get("iss", ""))
    except jwt.PyJWTError:
        raise undecodable from None
    found = _apps(store, "client_id", issuer)
    if not found and issuer.isdecimal():
        found = _apps(store, "id", int(issuer) - APP)
    if not found:
        raise RefusalError(401, "Integration not found")
    try:
        # What is left out is checked below, in GitHub's words; and an issuer may be a number.
        jwt.decode(
            token,
            found[0]["public_key"],
            algorithms=["RS256"],
            options={
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_aud": False,
                "verify_iss": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
    except jwt.PyJWTError:
        raise undecodable from None
    _refuse_times(claims)
    return found[0]


def _refuse_times(claims: Mapping[str, Any]) -> None:
    now = time.time()
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int | float) or isinstance(issued, bool) or issued > now + CLOCKS:
        raise RefusalError(
            401,
            "'Issued at' claim ('iat') must be an Integer representing the time that the "
            "assertion was issued",
        )
    if not isinstance(expires, int | float) or isinstance(expires, bool) or expires <= now:
        raise RefusalError(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time "
            "at which the assertion expires",
        )
    if expires > now + LONGEST:
        raise RefusalError(401, "'Expiration time' claim ('exp') is too far in the future")


def installation_token(
    store: Store,
    app: Row,
    installation: int,
    permissions: Mapping[str, str] | None = None,
    repositories: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return a token of the App for an hour: `token`, `permissions` and `expires` (seconds since 1970).

    It may do what is asked for, or all that the App may.
    """
    if installation != INSTALLATION + app["id"]:
        raise not_found()
    granted: dict[str, str] = json.loads(app["permissions"])
    wanted = dict(permissions) if permissions else granted
    for name, level in wanted.items():
        if level not in ("read", "write") or LEVELS.index(granted.get(name, "none")) < LEVELS.index(
            level
        ):
            raise RefusalError(
                422, "The permissions requested are not granted to this installation."
            )
    if any(name != NAME for name in repositories or ()):
        raise RefusalError(
            422,
            "There is at least one repository that does not exist or is not accessible to the "
            "parent installation.",
        )
    given = {"metadata": "read", **wanted}
    token, expires = tokens.issue(store, "app", app["slug"], given)
    return {"token": token, "expires": expires, "permissions": given}


def _apps(store: Store, column: str, value: str | int) -> list[Row]:
    return [row for row in store.rows("SELECT * FROM apps") if row[column] == value]
