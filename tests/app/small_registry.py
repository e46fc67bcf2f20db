"""A server that speaks as much of MLflow's protocol as a reader of a registered model needs."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
REGISTERED = 1_795_600_000_000  # milliseconds: 2026-11-25T09:46:40 UTC


@dataclass
class SmallRegistry:
    """The model `sentiment`, and how its server behaves. A test changes what it wants to be otherwise.

    `files` holds the artifacts of each version by name, `tags` its tags. `error` is a status and a
    body that are answered instead of what begins with `failing`; `claimed` is a length claimed of
    every file; `asked` holds the path of every request so far.
    """

    url: str = ""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    error: tuple[int, bytes] | None = None
    failing: str = "/"
    claimed: int | None = None
    asked: list[str] = field(default_factory=list)

    def register(self, version: str, file: bytes, **tags: str) -> None:
        """Add a version with one file, and make it champion."""
        self.files[version] = {"MLmodel": b"", "model.skops": file}
        self.tags[version] = {"file_sha256": hashlib.sha256(file).hexdigest(), **tags}
        self.aliases["champion"] = version

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        """Return the status and the body of an answer."""
        if self.error and path.startswith(self.failing):
            return self.error
        if path == f"{API}/registered-models/alias":
            version = self.aliases.get(query["alias"])
            if version is None:
                return refusal(400, "INVALID_PARAMETER_VALUE")
            return 200, self.described(version)
        if path == f"{API}/model-versions/get":
            known = query["name"] == "sentiment" and query["version"] in self.tags
            if not known:
                return refusal(404, "RESOURCE_DOES_NOT_EXIST")
            return 200, self.described(query["version"])
        if path == f"{API}/registered-models/get":  # the client asks that before the next
            return 200, as_json({"registered_model": {"name": query["name"]}})
        if path == f"{API}/model-versions/get-download-uri":
            return 200, as_json({"artifact_uri": f"mlflow-artifacts:/0/m-{query['version']}"})
        if path == ARTIFACTS:
            folder, _, name = query["path"].removeprefix("0/m-").partition("/")
            sizes = {} if name else self.files[folder]
            files = [
                {"path": each, "is_dir": False, "file_size": self.claimed or len(body)}
                for each, body in sizes.items()
            ]
            return 200, as_json({"files": files})
        version, _, name = path.removeprefix(f"{ARTIFACTS}/0/m-").partition("/")
        return 200, self.files[version][name]

    def described(self, version: str) -> bytes:
        tags = [{"key": key, "value": value} for key, value in self.tags[version].items()]
        fields = {"name": "sentiment", "version": version, "source": f"models:/m-{version}"}
        run = {"run_id": f"run-{version}", "creation_timestamp": REGISTERED, "tags": tags}
        return as_json({"model_version": {**fields, **run}})


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def refusal(status: int, code: str) -> tuple[int, bytes]:
    return status, as_json({"error_code": code, "message": "as MLflow says"})


@contextmanager
def small_registry() -> Iterator[SmallRegistry]:
    """Serve on a free port of the loopback interface until the block ends."""
    registry = SmallRegistry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            registry.asked.append(url.path)
            status, body = registry.answer(url.path, dict(parse_qsl(url.query)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        registry.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield registry
        finally:
            http.shutdown()
            thread.join()
