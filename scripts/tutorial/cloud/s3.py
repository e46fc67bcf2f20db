"""`python -m tutorial.cloud.s3`: S3 and IAM on this machine, by MiniStack, with what it acknowledges kept.

MiniStack writes objects, their versions, tags and ACLs at once, and users, policies and the settings
of buckets only when it is stopped in good order. Here these are written before the answer goes out,
and what could not be written is answered 500. It trusts anybody who signs as an account, with
whatever secret: here only the root key that this process was started with may, and the keys of IAM's
users, whose secrets it checks. What it never writes is gone with the process: uploads in parts that
were not completed, and the retention and legal hold of single objects.

Settings: S3_PORT, S3_FOLDER, S3_ROOT_KEY (twelve digits, an account's number).
"""

import asyncio
import json
import logging
import os
import re
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from tutorial.cloud.services import S3_HEALTH

ROOT_KEY = re.compile(r"test|\d{12}")
# A header's: Signature Version 4, and 2 ("AWS KEY:SIGNATURE").
CREDENTIAL = re.compile(r"Credential=\s*([^/,\s]+)/|^AWS\s+([^:\s]+):")
QUERY_CREDENTIAL = ("x-amz-credential", "awsaccesskeyid")
CONTROL = "/v20180820/"  # the paths of S3 Control, whose access points are settings too

NOT_KEPT = (
    "The change could not be written down, or what it is about not be read: see the service's log."
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def access_keys_of(scope: Scope) -> set[str]:
    """Return the access keys that a request names, in its headers or, presigned, in its address."""
    keys = set()
    for name, value in scope["headers"]:
        if name.lower() == b"authorization":
            found = CREDENTIAL.findall(value.decode("latin-1"))
            keys |= {version_4 or version_2 for version_4, version_2 in found}
    for name, values in parse_qs(scope["query_string"].decode("latin-1")).items():
        if name.lower() in QUERY_CREDENTIAL:
            keys |= {value.partition("/")[0] for value in values}
    return keys - {""}


def is_of_iam(scope: Scope) -> bool:
    """Tell whether a request is IAM's or STS's: they take a POST to the root, S3 takes none."""
    return bool(scope["method"] == "POST" and scope["path"] == "/")


def changes_settings(scope: Scope) -> bool:
    """Tell whether a request may change what MiniStack itself writes only at a clean stop."""
    if is_of_iam(scope):
        return True
    _, _, key = scope["path"].strip("/").partition("/")
    # A POST to a bucket is about objects: it deletes many, or uploads one by a form.
    return scope["method"] in ("PUT", "DELETE") and (not key or scope["path"].startswith(CONTROL))


class Failures(logging.Handler):
    """Hears MiniStack say that it could not read or write a file: it says so only in its log."""

    of_request: ContextVar[list[str]] = ContextVar("of_request")

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a failure for the answer of the request in which it happened."""
        if record.name == "persistence" or str(record.msg).startswith("Failed to "):
            self.of_request.get([]).append(record.getMessage())


class Guarded:
    """MiniStack behind a door: who may come in, and what is written before an answer goes out."""

    def __init__(self, ministack: App, save: Callable[[], None], root_key: str) -> None:
        self._ministack, self._save, self._root_key = ministack, save, root_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's own start and stop."""
        if scope["type"] != "http":
            await self._ministack(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal:
            await _refuse(scope, send, 403, *refusal)
            return
        failures: list[str] = []
        Failures.of_request.set(failures)
        withheld = False

        async def keep_then_send(message: Message) -> None:
            nonlocal withheld
            if message["type"] == "http.response.start":
                if message["status"] < 300 and changes_settings(scope):
                    self._save()
                if failures:
                    withheld = True
                    await _refuse(scope, send, 500, "InternalError", NOT_KEPT)
            if not withheld:
                await send(message)

        await self._ministack(scope, receive, keep_then_send)

    def _refusal(self, scope: Scope) -> tuple[str, str] | None:
        if scope["path"].startswith("/_"):
            if scope["path"] == S3_HEALTH and scope["method"] == "GET":
                return None
            return "AccessDenied", "This service has no door for administrators."
        keys = access_keys_of(scope)
        if not keys:
            return "MissingAuthenticationToken" if is_of_iam(
                scope
            ) else "AccessDenied", "Access Denied"
        if any(ROOT_KEY.fullmatch(key) and key != self._root_key for key in keys):
            unknown = "InvalidClientTokenId" if is_of_iam(scope) else "InvalidAccessKeyId"
            return unknown, "The AWS Access Key Id you provided does not exist."
        return None


async def _refuse(scope: Scope, send: Send, status: int, code: str, message: str) -> None:
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    if is_of_iam(scope):
        error = f"<ErrorResponse>{error}</ErrorResponse>"
    body = f"<?xml version='1.0'?>{error}".encode()
    headers = [(b"content-type", b"application/xml"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def check(folder: Path) -> None:
    """Make the folders that everything is kept in; exit with a sentence where they cannot serve.

    MiniStack would begin with no users where it cannot read them, and write that down.
    """
    try:
        for name in ("objects", "settings"):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        for kept in (folder / "settings").glob("*.json"):
            json.loads(kept.read_text(encoding="utf-8"))
    except OSError as error:
        sys.exit(f"The folder of S3 and IAM cannot be used: {error}.")
    except ValueError:
        sys.exit(f"{kept} is damaged: bring it back, or remove it with all that it keeps.")


def main() -> None:
    """Serve until SIGTERM."""
    folder, port, root_key = (os.environ[f"S3_{name}"] for name in ("FOLDER", "PORT", "ROOT_KEY"))
    check(Path(folder))
    # MiniStack reads its settings when it is imported. AUTH: signatures and policies are enforced.
    os.environ |= {
        "AUTH": "true",
        "GATEWAY_PORT": port,
        "SERVICES": "s3,iam,sts",
        "S3_PERSIST": "1",
        "S3_DATA_DIR": f"{folder}/objects",
        "PERSIST_STATE": "1",
        "STATE_DIR": f"{folder}/settings",
        "MINISTACK_ACCOUNT_ID": root_key,
        "MINISTACK_REGION": os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
        "AWS_ACCESS_KEY_ID": root_key,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack import app as ministack
    from ministack.core import hypercorn_compat
    from ministack.core.persistence import save_all

    for name in ("persistence", "s3"):
        logging.getLogger(name).addHandler(Failures(logging.WARNING))

    def save() -> None:
        save_all(ministack._build_persistence_save_dict())

    hypercorn_compat.install()
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    guarded: Any = Guarded(ministack.app, save, root_key)
    asyncio.run(serve(guarded, config))


if __name__ == "__main__":
    main()
