"""A small HTTP server in a thread: it answers the paths that a test gives it, and remembers who asked."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What a path answers. `length` is the Content-Length that is claimed, the true one if None."""

    body: bytes = b""
    status: int = 200
    length: int | None = None


@dataclass
class SmallServer:
    """Its address, its replies by path (404 for all others), and the paths asked for so far."""

    url: str = ""
    replies: Mapping[str, Reply] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


def in_json(content: Any, status: int = 200) -> Reply:
    """A reply that holds JSON."""
    return Reply(json.dumps(content).encode(), status)


@contextmanager
def small_server(replies: Mapping[str, Reply]) -> Iterator[SmallServer]:
    """Serve on a free port of the loopback interface until the block ends."""
    server = SmallServer(replies=replies)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            reply = server.replies.get(self.path, Reply(b"not found", 404))
            length = len(reply.body) if reply.length is None else reply.length
            self.send_response(reply.status)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
