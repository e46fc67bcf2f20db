"""Hide secrets in all that is stored or printed."""

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote
from xml.sax.saxutils import escape

MASK = "***"


def forms(secret: str) -> set[str]:
    """Return the texts that would give a secret away: its own, its lines, and each of them encoded.

    Base64 comes in three forms, for what stands before the secret shifts its bits; the characters at
    the ends that neighbours share are left out.
    """
    plain = {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}
    found = set(plain)
    for text in plain:
        found |= {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
        found |= {quote(text, safe=""), quote(text), escape(text)}
        data = text.encode("utf-8", "surrogateescape")
        for shift in range(min(3, len(data))):
            encoded = base64.b64encode(data[shift:])
            whole = encoded.decode().rstrip("=")
            whole = whole[:-1] if encoded.endswith(b"=") else whole
            found |= {whole, whole.replace("+", "-").replace("/", "_")}
    return {text for text in found if text.strip()}


class Masker:
    """Knows secrets, and replaces them."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.longest = 0  # characters of the longest form
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Hide these from now on; an empty one hides nothing."""
        for secret in secrets:
            if secret.strip():
                self._forms |= forms(secret)
        if self._forms:
            # The longest first, or a part of a secret would hide the whole from the pattern.
            ordered = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, ordered)))
            self.longest = len(ordered[0])

    def mask(self, text: str) -> str:
        """Return the text with every secret as `***`."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def hides(self, text: str) -> bool:
        """Tell whether a secret is in the text."""
        return bool(self._pattern and self._pattern.search(text))
