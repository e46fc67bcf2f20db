"""A client of the platform for tests: what it sends and what it gets is held to the contract."""

import http.server
import io
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import requests
from contract import check_answer, check_request

ACCEPT = "application/vnd.heroku+json; version=3"
SERVER = """\
import http.server, json, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"text": TEXT, "greeting": os.environ.get("GREETING")}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

print("the app begins", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
DOCKERFILE = "FROM python:3.13-slim\nWORKDIR /app\nCOPY . .\nCMD exec python3 server.py\n"
MANIFEST = "build:\n  docker:\n    web: Dockerfile\n"


def small_app(text: str = "one", release: str | None = None, **files: str) -> bytes:
    """Return the tarball of an app that answers with that text and its config var GREETING."""
    phase = f"release:\n  image: web\n  command:\n    - {release}\n" if release else ""
    content = {
        "server.py": f"TEXT = {text!r}\n{SERVER}",
        "Dockerfile": DOCKERFILE,
        "heroku.yml": MANIFEST + phase,
        **{name.replace("__", "."): words for name, words in files.items()},
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, words in content.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(words.encode()), 0o644
            tar.addfile(entry, io.BytesIO(words.encode()))
    return packed.getvalue()


PIP = (
    "FROM python:3.13-slim\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n"
    "CMD python3 server.py\n"
)


@dataclass
class Index:
    """A place from which a package is to be had, that does not answer before it is told to."""

    url: str
    asked: threading.Event
    go: threading.Event

    def app(self) -> bytes:
        """Return the tarball of an app whose build asks here for a package, and fails when told that there is none."""
        wanted = f"slow @ {self.url}/slow-1.0-py3-none-any.whl\n"
        return small_app(Dockerfile=PIP, requirements__txt=wanted)


@contextmanager
def slow_index() -> Iterator[Index]:
    """Be such a place until the block ends."""
    asked, go = threading.Event(), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            go.wait(60)
            with suppress(ConnectionError):
                self.send_error(404)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield Index(f"http://127.0.0.1:{server.server_port}", asked, go)
        finally:
            go.set()
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Answer:
    """A status, the JSON that came with it, and its headers."""

    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Client:
    """Asks the platform at `url` with `key`."""

    url: str
    key: str

    def ask(
        self, method: str, path: str, body: object = None, hold: bool = True, **headers: str
    ) -> Answer:
        """Send a request; with `hold`, what is sent must be what the contract allows."""
        if hold:
            check_request(method, path, body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = requests.request(
            method,
            f"{self.url}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.key}", "Accept": ACCEPT, **named},
            timeout=60,
        )
        content = answer.json()
        check_answer(method, path, answer.status_code, content)
        return Answer(answer.status_code, content, answer.headers)

    def get(self, path: str, **headers: str) -> Any:
        """Return what a GET answers."""
        answer = self.ask("GET", path, **headers)
        assert answer.status in (200, 206), answer
        return answer.body

    def post(self, path: str, body: object = None) -> Any:
        """Return what a POST answers."""
        answer = self.ask("POST", path, body)
        assert answer.status == 201, answer
        return answer.body

    def patch(self, path: str, body: object) -> Any:
        """Return what a PATCH answers."""
        answer = self.ask("PATCH", path, body)
        assert answer.status == 200, answer
        return answer.body

    def create(self, name: str) -> Any:
        """Make an app for containers."""
        return self.post("/apps", {"name": name, "stack": "container"})

    def upload(self, tarball: bytes) -> str:
        """Upload a source and return its `get_url`."""
        blob = self.post("/sources")["source_blob"]
        put = requests.put(blob["put_url"], data=tarball, timeout=60)
        assert put.ok, put.text
        return str(blob["get_url"])

    def start_build(self, name: str, tarball: bytes, version: str | None = None) -> Any:
        """Upload a source and begin a build of it."""
        blob: dict[str, str] = {"url": self.upload(tarball)}
        if version:
            blob["version"] = version
        return self.post(f"/apps/{name}/builds", {"source_blob": blob})

    def build(self, name: str, tarball: bytes, version: str | None = None) -> tuple[Any, str]:
        """Build a source to its end; return the build and its output."""
        build = self.start_build(name, tarball, version)
        output = requests.get(build["output_stream_url"], timeout=60).text
        return self.get(f"/apps/{name}/builds/{build['id']}"), output

    def deploy(self, name: str, tarball: bytes, version: str | None = None) -> Any:
        """Build a source, follow its release phase, and return the release."""
        build, output = self.build(name, tarball, version)
        assert build["status"] == "succeeded", output
        release = self.get(f"/apps/{name}/releases/{build['release']['id']}")
        if release["output_stream_url"]:
            release["output"] = requests.get(release["output_stream_url"], timeout=60).text
        return {**release, **self.get(f"/apps/{name}/releases/{release['id']}")}

    def log(self, name: str, **wanted: object) -> list[str]:
        """Return the lines of an app's log."""
        session = self.post(f"/apps/{name}/log-sessions", {"lines": 1500, **wanted})
        return requests.get(session["logplex_url"], timeout=60).text.splitlines()
