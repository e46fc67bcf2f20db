"""A package index on this machine, for packages that hold one line each."""

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Index:
    """Its address, the folder of its wheels, and the paths asked for so far."""

    folder: Path
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def add(self, name: str, version: str) -> None:
        """Offer a package whose module says its version."""
        info = f"{name}-{version}.dist-info"
        files = {
            f"{name}.py": f"VERSION = {version!r}\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": "",
        }
        self.folder.mkdir(exist_ok=True)
        with zipfile.ZipFile(self.folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            for path, text in files.items():
                wheel.writestr(path, text)

    def reply(self, path: str) -> bytes | None:
        """Return what the path holds, None if nothing."""
        self.asked.append(path)
        wheel = self.folder / Path(path).name
        if wheel.is_file():
            return wheel.read_bytes()
        found = sorted(self.folder.glob(f"{Path(path).name}-*.whl"))
        links = "".join(
            f'<a href="/files/{one.name}#sha256={hashlib.sha256(one.read_bytes()).hexdigest()}">'
            f"{one.name}</a>\n"
            for one in found
        )
        return links.encode() if found else None


@contextmanager
def small_index(folder: Path) -> Iterator[Index]:
    """Serve on a free port of the loopback interface until the block ends."""
    index = Index(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = index.reply(self.path.rstrip("/"))
            self.send_response(404 if body is None else 200)
            if not self.path.endswith(".whl"):
                self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body or b"")

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        index.url = f"http://127.0.0.1:{http.server_port}/simple"
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield index
        finally:
            http.shutdown()
            thread.join()
