"""The contract: Heroku's published JSON hyper-schema, held against what is sent and what is answered.

`check_request(method, path, body)` and `check_answer(method, path, status, body)` raise `AssertionError`
with what is wrong. Where the schema is not beside the project (`AVAILABLE` is False) they look at errors only.
"""

import json
import re
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft4Validator, FormatChecker

from tutorial.home import PROJECT

SCHEMA = PROJECT.parent / "shared" / "schemas" / "heroku-platform-api.json"
AVAILABLE = SCHEMA.is_file()
FORMATS = FormatChecker()
# Where the laptop cannot be as Heroku is: an app has no host below herokuapp.com, it has a port.
WEB_URL = "^http://127\\.0\\.0\\.1:[0-9]+/$"
KEPT = ("type", "pattern", "format", "enum", "required", "additionalProperties", "minimum")


def check_request(method: str, path: str, body: object = None) -> None:
    """Hold a request's path and JSON body (None where there is none) to the links of the schema."""
    if not AVAILABLE:
        return
    links = links_of(method, path)
    assert links, f"The schema has no {method} {path}."
    schemas = [link["schema"] for link in links if "schema" in link]
    sent = {} if body is None else body
    if not schemas:
        assert sent == {}, f"{method} {path} takes no body."
        return
    problems = [problem_of(strict(schema, whole_objects=False), sent) for schema in schemas]
    assert None in problems, f"{method} {path} {body}: {problems}"


def check_answer(method: str, path: str, status: int, body: object) -> None:
    """Hold an answer to the schema's target of the link, or to the form of an error."""
    if status >= 400:
        assert isinstance(body, dict), body
        assert all(isinstance(body.get(name), str) for name in ("id", "message")), body
        return
    if not AVAILABLE:
        return
    links = links_of(method, path)
    assert links, f"The schema has no {method} {path}."
    problem = problem_of(strict(links[0]["targetSchema"], whole_objects=True), body)
    assert problem is None, f"{method} {path} answers {body}: {problem}"


def problem_of(schema: dict[str, Any], body: object) -> str | None:
    """Return what is wrong with a value, None where nothing is."""
    errors = Draft4Validator(schema, format_checker=FORMATS).iter_errors(body)
    return next((f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in errors), None)


@FORMATS.checks("date-time", raises=ValueError)
def is_time(value: object) -> bool:
    """Tell whether a text is a time; raise `ValueError` if it is not."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@cache
def published() -> dict[str, Any]:
    """Return the schema, with the one deviation that this stand-in has."""
    content: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    web_url = content["definitions"]["app"]["definitions"]["web_url"]
    web_url["pattern"] = f"{web_url['pattern']}|{WEB_URL}"
    return content


def links_of(method: str, path: str) -> list[dict[str, Any]]:
    """Return the links of that method whose address the path is."""
    path = path.partition("?")[0]
    return [link for address, link in all_links().get(method, []) if address.fullmatch(path)]


@cache
def all_links() -> dict[str, list[tuple["re.Pattern[str]", dict[str, Any]]]]:
    """Return the links by method, each with a pattern of its address; plain words come first."""
    found: dict[str, list[tuple[re.Pattern[str], dict[str, Any]]]] = {}
    links = [link for part in published()["definitions"].values() for link in part.get("links", ())]
    for link in sorted(links, key=lambda link: str(link["href"]).count("{")):
        words = re.split(r"\{\(.*?\)\}", unquote(link["href"]))
        address = re.compile("[^/]+".join(map(re.escape, words)))
        found.setdefault(link["method"], []).append((address, link))
    return found


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference."""
    while "$ref" in schema:
        found: dict[str, Any] = published()
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        schema = found
    return schema


def strict(schema: Any, whole_objects: bool) -> Any:
    """Return a schema without references that knows the published one's `strictProperties`.

    An object of strict properties has no other; with `whole_objects`, as in an answer, it has all.
    """
    if not isinstance(schema, dict):
        return schema
    schema = resolved(schema)
    made = {name: value for name, value in schema.items() if name in KEPT}
    if "items" in schema:
        made["items"] = strict(schema["items"], whole_objects)
    if "anyOf" in schema:
        made["anyOf"] = [strict(item, whole_objects) for item in schema["anyOf"]]
    for name in ("properties", "patternProperties"):
        if name in schema:
            parts = schema[name].items()
            made[name] = {key: strict(value, whole_objects) for key, value in parts}
    if schema.get("strictProperties"):
        made["additionalProperties"] = False
        if whole_objects and schema.get("properties"):
            made["required"] = sorted(schema["properties"])
    return made
