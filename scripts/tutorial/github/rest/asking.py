"""A request as the rooms of the API see it, and their answer."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tutorial.github.forms import Forms, Json
from tutorial.github.people import Actor
from tutorial.github.refusals import RefusalError, not_found
from tutorial.github.repository import Repository
from tutorial.github.store import Row, Store

SHA = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True)
class Reply:
    """A status, what is sent as JSON (None for nothing), and headers."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Ask:
    """A request whose sender is known."""

    store: Store
    actor: Actor
    app: Row  # the one that a JWT proves; empty for any other token
    token: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    url: str  # without the query

    @property
    def forms(self) -> Forms:
        """How to write things."""
        return Forms(self.store.state)

    @property
    def repository(self) -> Repository:
        """The repository that is asked about."""
        return Repository(self.store.state)

    def number(self, name: str, above: int = 0) -> int:
        """Return a number of the path; 404 where it is none, or not one of these things."""
        text = self.path[name]
        if not (text.isascii() and text.isdecimal() and len(text) < 16) or int(text) <= above:
            raise not_found()
        return int(text) - above

    def fields(self) -> Json:
        """Return the body, a JSON object."""
        if not isinstance(self.body, dict):
            raise RefusalError(400, "Body should be a JSON object")
        return self.body

    def text(self, name: str, usual: str | None = None) -> str:
        """Return a text of the body; without a usual value it has to be there."""
        value = self.fields().get(name)
        if value is None and usual is not None:
            return usual
        if not isinstance(value, str):
            what = "wasn't supplied" if value is None else "is not a string"
            raise RefusalError(422, f'Invalid request.\n\n"{name}" {what}.')
        return value

    def optional(self, name: str) -> str | None:
        """Return a text of the body, None where it is not there."""
        return None if self.fields().get(name) is None else self.text(name)

    def commit(self, name: str) -> str:
        """Return the commit of the path: a SHA, or a branch's or a tag's name."""
        text = self.path[name]
        for ref in (f"refs/heads/{text}", f"refs/tags/{text}"):
            if self.repository.has_ref(ref):
                return self.repository.resolve(ref)
        if SHA.fullmatch(text) and self.repository.exists(text):
            return self.repository.resolve(text)
        raise RefusalError(422, f"No commit found for SHA: {text}")


def page_of(ask: Ask, rows: Sequence[Any]) -> tuple[Sequence[Any], dict[str, str]]:
    """Return the page of a list that is asked for, 30 a page, and the header that leads to the next."""

    def asked(name: str, usual: int) -> int:
        text = ask.query.get(name, "")
        return int(text) if text.isdecimal() and int(text) > 0 else usual

    size, page = min(100, asked("per_page", 30)), asked("page", 1)
    last = max(1, -(-len(rows) // size))
    links = []
    for relation, number in (("next", page + 1), ("last", last)):
        if page < last:
            query = urlencode({**ask.query, "page": number})
            links.append(f'<{ask.url}?{query}>; rel="{relation}"')
    headers = {"Link": ", ".join(links)} if links else {}
    return rows[(page - 1) * size : page * size], headers


def listed(ask: Ask, rows: Sequence[Any], form: Callable[[Any], Json]) -> Reply:
    """Return a page of a list."""
    shown, headers = page_of(ask, rows)
    return Reply(200, [form(row) for row in shown], headers)


def counted(ask: Ask, key: str, rows: Sequence[Any], form: Callable[[Any], Json]) -> Reply:
    """Return a page of a list with its whole length, as Actions has its lists."""
    shown, headers = page_of(ask, rows)
    return Reply(200, {"total_count": len(rows), key: [form(row) for row in shown]}, headers)


@dataclass(frozen=True)
class Route:
    """A path, who answers there, and what a token has to be allowed: one of these, at that level.

    Writing is looked at where it is done, for some of it everybody may do. `jwt`: an App has to prove itself.
    """

    method: str
    path: str
    answer: Callable[[Ask], Reply]
    permissions: tuple[str, ...] = ()
    level: str = "read"
    jwt: bool = False
