"""`python -m tutorial.cloud.s3`: S3 and IAM on this machine, by MiniStack, with what it acknowledges kept.

MiniStack writes objects and their versions at once, and users, policies and the settings of buckets
only when it is stopped in good order. Here these are written before the answer goes out. And it
trusts anybody who signs as an account, with whatever secret: here only the root key that this
process was started with may, and the keys of IAM's users, whose secrets it checks.

Settings: S3_PORT, S3_FOLDER, S3_ROOT_KEY (twelve digits, an account's number).
"""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

HEALTH = "/_ministack/health"
ROOT_KEY = re.compile(r"test|\d{12}")
CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/")
# S3 requests that change an object carry none of these; those that change a bucket's settings do.
OF_OBJECTS = {"uploadId", "uploads", "partNumber", "versionId", "x-id", "delete", "tagging"}

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def access_key_of(scope: Scope) -> str | None:
    """Return the access key that a request names, in its header or, presigned, in its address."""
    headers = {name.lower(): value for name, value in scope["headers"]}
    found = CREDENTIAL.search(headers.get(b"authorization", b"").decode("latin-1"))
    if found:
        return found[1]
    credential = parse_qs(scope["query_string"].decode("latin-1")).get("X-Amz-Credential", [""])[0]
    return credential.partition("/")[0] or None


def changes_settings(scope: Scope) -> bool:
    """Tell whether a request may change what MiniStack itself writes only at a clean stop."""
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return False
    bucket, _, key = scope["path"].strip("/").partition("/")
    if not bucket:  # IAM and STS: everything is a POST to /
        return True
    query = set(parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    return not key and not (query & OF_OBJECTS)


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
            await _refuse(send, *refusal)
            return

        async def keep_then_send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 300:
                self._save()
            await send(message)

        await self._ministack(scope, receive, keep_then_send if changes_settings(scope) else send)

    def _refusal(self, scope: Scope) -> tuple[str, str] | None:
        if scope["path"].startswith("/_"):
            admin = scope["path"] != HEALTH or scope["method"] != "GET"
            return (
                ("AccessDenied", "This service has no door for administrators.") if admin else None
            )
        key = access_key_of(scope)
        if key is None:
            return "AccessDenied", "Access Denied"
        if ROOT_KEY.fullmatch(key) and key != self._root_key:
            return "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist."
        return None


async def _refuse(send: Send, code: str, message: str) -> None:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    headers = [(b"content-type", b"application/xml")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})


def main() -> None:
    """Serve until SIGTERM."""
    folder, port, root_key = (os.environ[f"S3_{name}"] for name in ("FOLDER", "PORT", "ROOT_KEY"))
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

    def save() -> None:
        save_all(ministack._build_persistence_save_dict())

    hypercorn_compat.install()
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    guarded: Any = Guarded(ministack.app, save, root_key)
    asyncio.run(serve(guarded, config))


if __name__ == "__main__":
    main()
