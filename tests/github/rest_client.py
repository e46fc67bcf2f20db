"""The local GitHub's API as a program of its own, and a client that holds every answer to GitHub's description."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft7Validator, FormatChecker

from tutorial.home import PROJECT

PACKAGE = PROJECT / ".tools" / "openapi" / "node_modules" / "@octokit" / "openapi"
DESCRIPTION = PACKAGE / "generated" / "api.github.com.json"
FORMATS = FormatChecker()
REPO = "/repos/reader/workspace"


@FORMATS.checks("uri")
def is_address(value: object) -> bool:
    """Tell whether a text is an address of this machine, or of GitHub's documentation."""
    return not isinstance(value, str) or value.startswith(("http://127.0.0.1:", "file://"))


@FORMATS.checks("date-time")
def is_time(value: object) -> bool:
    return not isinstance(value, str) or bool(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", value)
    )


@cache
def description() -> dict[str, Any]:
    """GitHub's OpenAPI description, as JSON Schema reads it: what is nullable may be null."""
    if not DESCRIPTION.is_file():
        pytest.fail("GitHub's OpenAPI description is missing: run `make test`.")
    content = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    found: dict[str, Any] = _nullable(content)
    return found


def _nullable(part: Any) -> Any:
    if isinstance(part, list):
        return [_nullable(one) for one in part]
    if not isinstance(part, dict):
        return part
    made = {key: _nullable(value) for key, value in part.items()}
    if part.get("nullable") is True:
        made.pop("nullable")
        return {"anyOf": [made, {"type": "null"}]}
    return made


@cache
def operation(method: str, path: str) -> dict[str, Any]:
    """What is said of a method of a path; the test fails where GitHub has none."""
    for template, methods in description()["paths"].items():
        pattern = re.escape(template)
        if template.endswith("/git/ref/{ref}"):
            pattern = re.sub(r"\\\{ref\\\}", "(.+)", pattern)
        pattern = re.sub(r"\\\{\w+\\\}", "([^/]+)", pattern)
        if re.fullmatch(pattern, path) and method.lower() in methods:
            found: dict[str, Any] = methods[method.lower()]
            return found
    pytest.fail(f"GitHub has no {method} {path}.")


def problem_of(schema: Mapping[str, Any], value: object) -> str | None:
    """What is wrong with a value, None where nothing is."""
    whole = {**schema, "components": description()["components"]}
    errors = sorted(
        Draft7Validator(whole, format_checker=FORMATS).iter_errors(value), key=lambda e: len(e.path)
    )
    return next((f"{'.'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in errors), None)


def check(method: str, path: str, status: int, body: object) -> None:
    """Hold an answer to GitHub's description: its status is one of those, its body has that schema."""
    said = operation(method, path)["responses"]
    if status in (401, 404, 403) and str(status) not in said:
        schema = {"$ref": "#/components/schemas/basic-error"}  # any of them may answer so
    else:
        assert str(status) in said, f"{method} {path} never answers {status}: {body}"
        answer = said[str(status)]
        if "$ref" in answer:
            answer = description()["components"]["responses"][answer["$ref"].rpartition("/")[2]]
        content = answer.get("content", {}).get("application/json")
        if content is None:
            assert body is None, body
            return
        schema = content["schema"]
    problem = problem_of(schema, body)
    assert problem is None, f"{method} {path} answers {status}: {problem}"


@dataclass(frozen=True)
class Answer:
    """A status, what came with it, and the headers."""

    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Client:
    """Asks the API with a token; empty, with none."""

    url: str  # of the host
    token: str = ""

    def ask(self, method: str, path: str, body: object = None, hold: bool = True) -> Answer:
        """Return the answer, held to GitHub's description; a body is held to it as well."""
        bare = path.partition("?")[0]
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        with requests.Session() as session:
            session.trust_env = False
            said = session.request(
                method,
                f"{self.url}/api/v3{path}",
                json=body,
                headers=headers,
                timeout=30,
                allow_redirects=False,
            )
        found = said.json() if said.content else None
        if hold:
            check(method, bare, said.status_code, found)
        return Answer(said.status_code, found, said.headers)

    def get(self, path: str) -> Any:
        """Return what is there; the test fails where nothing is."""
        said = self.ask("GET", path)
        assert said.status == 200, said.body
        return said.body


@contextmanager
def serving(state: Path) -> Iterator[str]:
    """Serve the API of a state on a free port, and give its address."""
    command = [sys.executable, "-m", "tutorial.github.rest", "--port", "0", "--state", str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert "answers at" in line, line
            yield line.split(" at ")[1].strip().removesuffix("/api/v3")
        finally:
            process.terminate()
            process.wait(20)
