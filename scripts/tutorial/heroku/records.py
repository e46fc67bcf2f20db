"""What the platform remembers: apps, slugs, releases, builds."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class App:
    """An app. `config` is what the next release gets; `formed_at` is None until something was deployed."""

    id: str
    name: str
    stack: str
    build_stack: str
    config: Mapping[str, str]
    port: int
    quantity: int
    created_at: str
    updated_at: str
    released_at: str | None
    formed_at: str | None


@dataclass(frozen=True)
class Slug:
    """What a build made: an image and the commands in it. `revision` is the commit that was deployed."""

    id: str
    app_id: str
    image_id: str
    command: str
    release_command: str | None
    revision: str | None
    revision_description: str | None
    checksum: str
    size: int
    created_at: str


@dataclass(frozen=True)
class Release:
    """A slug (None before the first build) with a configuration, numbered within its app."""

    id: str
    app_id: str
    version: int
    description: str
    status: str
    slug_id: str | None
    config: Mapping[str, str]
    has_output: bool
    created_at: str
    updated_at: str


@dataclass(frozen=True)
class Build:
    """A source on its way to a slug and a release."""

    id: str
    app_id: str
    status: str
    url: str
    checksum: str | None
    revision: str | None
    revision_description: str | None
    slug_id: str | None
    release_id: str | None
    created_at: str
    updated_at: str


def now() -> str:
    """Return the time as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_id() -> str:
    """Return an id that nothing else has."""
    return str(uuid.uuid4())
