"""A platform in a thread that says what a test wants it to: for answers that a sound one never gives."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

RELEASE = {"slug": {"id": "s"}, "artifacts": [], "output_stream_url": None, "status": "succeeded"}


def release_id(version: int) -> str:
    return str(UUID(int=version))


def release(version: int, **other: Any) -> dict[str, Any]:
    """Return a release of some code."""
    made = {"id": release_id(version), "version": version, "description": f"Deploy {version}"}
    return {**RELEASE, **made, **other}


def dyno(version: int, state: str = "up") -> dict[str, Any]:
    """Return the web dyno of a release."""
    return {
        "type": "web",
        "state": state,
        "release": {"id": release_id(version), "version": version},
    }


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass
class Reply:
    """An answer: JSON or bytes. `cut` ends the connection after so many bytes, before any where it is 0."""

    content: Any
    status: int = 200
    cut: int | None = None


Answer = Reply | Callable[[], Reply]


@dataclass
class FakePlatform:
    """Its address, what it answers (a list is used up, its last one stays), and what it was asked."""

    url: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def answer(self, request: str, *answers: Answer) -> None:
        """Answer a request such as `GET /apps/x/dynos` so, one after another."""
        self.answers[request] = list(answers)

    def count(self, request: str) -> int:
        """Return how often something was asked."""
        return sum(f"{asked.method} {asked.path}" == request for asked in self.asked)

    def one(self, request: str) -> Asked:
        """Return the one request of this kind."""
        (found,) = [a for a in self.asked if f"{a.method} {a.path}" == request]
        return found

    def crash(self, *others: dict[str, Any]) -> None:
        """Let the dyno of v4 crash, and that of the release after it come up. `others` are listed, too."""
        back, app = release(5, description="Rollback to v3"), "/apps/review-app"

        def roll_back() -> Reply:
            self.answer(f"GET {app}/dynos", Reply([dyno(5)]))
            self.answer(f"GET {app}/releases", Reply([back, release(4), release(3)]))
            return Reply(back, 201)

        self.answer(f"GET {app}/releases", Reply([*others, release(4), release(3)]))
        self.answer(f"GET {app}/dynos", Reply([dyno(4, "crashed")]))
        self.answer(f"POST {app}/releases", roll_back)

    def _next(self, request: str) -> Reply:
        answers = self.answers.get(request)
        if not answers:
            return Reply({"id": "not_found", "message": f"Couldn't find {request}."}, 404)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer if isinstance(answer, Reply) else answer()


@contextmanager
def fake_platform() -> Iterator[FakePlatform]:
    """Run a platform that has the app `review-app`, whose v3 is live and whose next release is v4."""
    platform = FakePlatform()

    class Handler(BaseHTTPRequestHandler):
        def handle_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            platform.asked.append(Asked(self.command, self.path, dict(self.headers), body))
            reply = platform._next(f"{self.command} {self.path}")
            content = reply.content
            sent = content if isinstance(content, bytes) else json.dumps(content).encode()
            if reply.cut == 0:
                self.close_connection = True
                return
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent[: reply.cut])
            self.close_connection = True

        do_GET = do_POST = do_PUT = handle_request  # noqa: N815 the names are the library's

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        platform.url = f"http://127.0.0.1:{http.server_port}"
        in_order(platform)
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield platform
        finally:
            http.shutdown()
            thread.join()


def in_order(platform: FakePlatform) -> None:
    """Let everything go well."""
    app, url = "/apps/review-app", platform.url
    build = {"id": "build-1", "output_stream_url": f"{url}/output", "status": "pending"}
    done = {**build, "status": "succeeded", "release": {"id": release_id(4)}}
    stack = {"id": "1", "name": "container"}
    source = {"put_url": f"{url}/put", "get_url": f"{url}/get"}
    platform.answer(f"GET {app}", Reply({"build_stack": stack, "web_url": f"{url}/"}))
    platform.answer(f"GET {app}/config-vars", Reply({"SECRET": "a-config-secret"}))
    platform.answer("POST /sources", Reply({"source_blob": source}, 201))
    platform.answer("PUT /put", Reply(b""))
    platform.answer(f"POST {app}/builds", Reply({**build, "release": None}, 201))
    platform.answer(f"GET {app}/builds/build-1", Reply({**build, "release": None}), Reply(done))
    platform.answer("GET /output", Reply(b"Step 1\nStep 2\n"))
    platform.answer(f"GET {app}/releases", Reply([release(4), release(3)]))
    platform.answer(f"GET {app}/releases/{release_id(4)}", Reply(release(4)))
    platform.answer(f"GET {app}/dynos", Reply([dyno(4)]))
    platform.answer("GET /model", Reply({"status": "serving", "digest": "abcdef0123456789"}))
    platform.answer(f"POST {app}/log-sessions", Reply({"logplex_url": f"{url}/log"}, 201))
    platform.answer("GET /log", Reply(b"2026-11-25T03:40:00+00:00 app[web.1]: it went bang\n"))
    platform.answer(f"POST {app}/releases", Reply(release(5, description="Rollback to v3"), 201))
    platform.answer(
        f"GET {app}/releases/{release_id(5)}", Reply(release(5, description="Rollback to v3"))
    )
