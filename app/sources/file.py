"""A model that lies next to the app: nobody can tell how it got there."""

import hashlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

from app.sources import Fetched, SourceError


def fetch(uri: str, known_version: str | None = None) -> Fetched | None:
    """Return the file that a path or a `file:` URI names; its version is the sha256 of its bytes."""
    try:
        is_uri = uri.lower().startswith("file:")
        path = Path(unquote(urlsplit(uri).path)) if is_uri else Path(uri)
        version = hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise SourceError(
            f"There is no model at {path}: train one, or set MODEL_URI to where one is."
        ) from None
    except OSError as error:
        raise SourceError(f"The model at {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise SourceError(f"MODEL_URI is {uri!r}, which no file can be called: {error}.") from None
    return None if version == known_version else Fetched(path, version)
