"""Where a model comes from: the scheme of `MODEL_URI` names the module that fetches it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

# Scheme: the module that fetches it, and the milestone of the tutorial that builds that module.
MODULES = {
    "": ("file", 0),
    "file": ("file", 0),
    "s3": ("s3", 2),
    "models": ("registry", 5),
}


class SourceError(RuntimeError):
    """A model that cannot be fetched. The message says why and what to do."""


@dataclass(frozen=True)
class Fetched:
    """A model as a local file, and what its source can prove of it.

    `version` changes whenever the file does. `proof` holds facts by name, such as "data" or "run":
    what the source cannot prove is not in it.
    """

    path: Path
    version: str
    proof: Mapping[str, str] = field(default_factory=dict)


def fetch(uri: str, known_version: str | None = None) -> Fetched | None:
    """Fetch the model that `uri` names, or return None where `known_version` is still its version.

    Raises `SourceError`.
    """
    before, colon, _ = uri.partition(":")
    scheme = before.lower() if colon and "/" not in before else ""
    if scheme not in MODULES:
        known = ", ".join(f"{name}:" for name in MODULES if name)
        raise SourceError(
            f"MODEL_URI is {uri!r}: nothing here fetches {scheme}: URIs, so use a path or one of {known}."
        )
    module, milestone = MODULES[scheme]
    try:
        source = import_module(f"app.sources.{module}")
    except ModuleNotFoundError as error:
        if error.name != f"app.sources.{module}":
            raise
        raise SourceError(
            f"MODEL_URI is {uri!r}, and app/sources/{module}.py is not there yet: "
            f"milestone {milestone} builds it."
        ) from None
    fetched: Fetched | None = source.fetch(uri, known_version)
    return fetched
