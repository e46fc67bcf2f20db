"""Addresses that need no key: signed, impossible to guess, valid for a while."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from urllib.parse import urlencode

from aiohttp import web

from tutorial.heroku.errors import ApiError


class Signer:
    """Makes and checks signed addresses of the service at `base`."""

    def __init__(self, secret: str, base: str) -> None:
        self._secret = secret.encode()
        self._base = base

    def url(
        self, path: str, seconds: float, query: Mapping[str, str] | None = None, method: str = "GET"
    ) -> str:
        """Return an address that answers for so many seconds, to this method and these parameters."""
        signed = {**(query or {}), "expires": str(int(time.time() + seconds))}
        signed["signature"] = self._sign(method, path, signed)
        return f"{self._base}{path}?{urlencode(signed)}"

    def check(self, request: web.Request) -> None:
        """Raise `ApiError` (403) where the address was not made here, or its time is up."""
        signed = dict(request.query)
        given = signed.pop("signature", "")
        true = hmac.compare_digest(
            given.encode(), self._sign(request.method, request.path, signed).encode()
        )
        if not true or float(signed.get("expires", 0)) < time.time():
            raise ApiError(
                403, "forbidden", "This address is not valid, or no longer: get a new one."
            )

    def path(self, url: str) -> str | None:
        """Return the path of an address that this service has made, whatever its age, or None."""
        if not url.startswith(f"{self._base}/"):
            return None
        return url.removeprefix(self._base).partition("?")[0]

    def _sign(self, method: str, path: str, query: Mapping[str, str]) -> str:
        words = f"{method} {path} {urlencode(sorted(query.items()))}"
        return hmac.new(self._secret, words.encode(), hashlib.sha256).hexdigest()
