"""A server that speaks as much of S3 as a reader of one object needs, and knows no signatures."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>{}</Message></Error>"


@dataclass
class SmallS3:
    """One object, and how its server behaves. A test changes what it wants to be otherwise.

    `error` is a status and a code that are answered instead, a page without a code "HTML"; `length` and `checksum` are claimed of
    the object where they are not None; `asked` holds the method and path of every request so far.
    """

    url: str = ""
    body: bytes = b""
    version: str | None = None
    error: tuple[int, str] | None = None
    length: int | None = None
    checksum: str | None = None
    etag: bool = True
    asked: list[str] = field(default_factory=list)

    def put(self, body: bytes, version: str | None = None) -> None:
        """Replace the object."""
        self.body, self.version = body, version

    def headers(self) -> dict[str, str]:
        sha256 = base64.b64encode(hashlib.sha256(self.body).digest()).decode()
        headers = {
            "Content-Length": str(len(self.body) if self.length is None else self.length),
            "x-amz-checksum-sha256": sha256 if self.checksum is None else self.checksum,
        }
        if self.etag:
            headers["ETag"] = f'"{hashlib.md5(self.body).hexdigest()}"'  # noqa: S324
        if self.version is not None:
            headers["x-amz-version-id"] = self.version
        return headers


@contextmanager
def small_s3() -> Iterator[SmallS3]:
    """Serve on a free port of the loopback interface until the block ends."""
    s3 = SmallS3()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            s3.asked.append(f"{self.command} {self.path}")
            if s3.error:
                status, code = s3.error
                secret = self.headers.get("Authorization", "")
                page = "<html>" if code == "HTML" else ERROR.format(code, secret)
                return self.answer(status, {}, page.encode())
            headers = s3.headers()
            if headers.get("ETag", "") == self.headers.get("If-None-Match"):
                return self.answer(304, {"ETag": headers["ETag"]}, b"")
            return self.answer(200, headers, s3.body)

        def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        s3.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield s3
        finally:
            http.shutdown()
            thread.join()
