"""A small repository to deploy, as a reader has one: the scripts, an app that answers, and git."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
KEY = "a-key-that-nobody-prints"
SCRIPTS = ("deploy.py", "heroku.py")
DOCKERFILE = "FROM python:3.13-slim\nWORKDIR /app\nCOPY . .\nCMD exec python server.py\n"
HEROKU_YML = """\
build:
  docker:
    web: Dockerfile
release:
  image: web
  command:
    - python check.py
"""
SERVER = """\
import http.server, json, os, pathlib

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        card = {"status": "serving", "digest": pathlib.Path("models/sentiment.skops").read_text()}
        body = json.dumps(card).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

print("the app begins", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Said:
    """What the script left: its exit status, and what it wrote on both streams."""

    status: int
    out: str
    err: str


@dataclass
class Repository:
    """A folder with git, and the settings with which its `scripts/deploy.py` runs."""

    root: Path
    settings: dict[str, str] = field(default_factory=dict)
    processes: list["subprocess.Popen[str]"] = field(default_factory=list)

    def git(self, *command: str) -> str:
        """Run git as somebody who has a name."""
        who = ("-c", "user.name=Reader", "-c", "user.email=reader@example.org")
        done = subprocess.run(
            ["git", *who, *command], cwd=self.root, capture_output=True, text=True, check=True
        )
        return done.stdout

    def commit(self, **files: str) -> str:
        """Write files (`__` in a name is a dot), commit all there is, and return the commit."""
        for name, content in files.items():
            (self.root / name.replace("__", ".")).write_text(content, encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "A change")
        return self.git("rev-parse", "HEAD").strip()

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `python scripts/deploy.py` with some arguments."""
        process = subprocess.Popen(
            [sys.executable, "scripts/deploy.py", *arguments],
            cwd=self.root,
            env={**os.environ, **self.settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def deploy(self, *arguments: str) -> Said:
        """Run the script to its end."""
        return self.end(self.start(*arguments))

    def end(self, process: "subprocess.Popen[str]") -> Said:
        """Wait until the script has ended. Whatever it says, it tells no secret and has no traceback."""
        out, err = process.communicate(timeout=180)
        said = Said(process.returncode, out, err)
        assert KEY not in out + err
        assert "a-config-secret" not in out + err
        assert "Traceback" not in err, err
        assert err.count("\n") <= 1, err
        return said


def make_repository(root: Path) -> Repository:
    """Make a repository with one commit, and a model that git ignores."""
    for folder in ("scripts", "models"):
        (root / folder).mkdir(parents=True)
    for name in SCRIPTS:
        shutil.copyfile(PROJECT / "scripts" / name, root / "scripts" / name)
    (root / "models" / "sentiment.skops").write_text("digest-one", encoding="utf-8")
    made = Repository(root)
    made.git("init", "-q", "-b", "main")
    made.commit(
        Dockerfile=DOCKERFILE,
        heroku__yml=HEROKU_YML,
        server__py=SERVER,
        check__py='print("checked")\n',
        __gitignore="models/\n__pycache__/\n",
    )
    return made
