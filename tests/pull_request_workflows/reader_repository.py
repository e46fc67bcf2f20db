"""A reader's repository with the real workflows and scripts, and stand-ins for what trains and judges."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from proposals import Proposals
from rehearsal import Rehearsal
from rest_client import serving

from tutorial.github import tokens
from tutorial.github.apps import register
from tutorial.home import PROJECT

WORKFLOWS = ("train", "report", "promote")
SCRIPTS = ("github", "harmless", "post_report", "reviewed", "agree")
MARKER = "<!-- model report -->"
SLUG = "model-reports"
# What a training leaves, in a second and without packages: the "model" is what params.yaml says.
TRAIN = """
import argparse, hashlib, json, os, pathlib, subprocess

parser = argparse.ArgumentParser()
parser.add_argument("--output", default="training")
folder = pathlib.Path(parser.parse_args().output)
folder.mkdir()
params = pathlib.Path("params.yaml").read_text()
digest = hashlib.sha256(params.encode()).hexdigest()
said = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
record = {"input_digest": digest, "model_digest": digest[::-1], "params": params.strip()}
record["git_commit"] = said.stdout.strip()
(folder / "record.json").write_text(json.dumps(record))
(folder / "predictions.csv").write_text("review,positive\\nA delight.,0.900000\\n")
(folder / "train.ipynb").write_text("{}")
print("Its environment:", *sorted(f"{name}={value}" for name, value in os.environ.items()))
"""
JUDGE = """
import argparse, json, pathlib

parser = argparse.ArgumentParser()
parser.add_argument("folders", nargs=2)
parser.add_argument("--first", action="store_true")
parser.add_argument("--same-quality", action="store_true")
parser.add_argument("--changed")
args = parser.parse_args()
def params(folder):
    record = json.loads((pathlib.Path(folder) / "record.json").read_text())
    return record["params"], record["git_commit"]
"""
GATE = (
    JUDGE + "raise SystemExit(not (args.same_quality or 'better' in params(args.folders[1])[0]))\n"
)
REPORT = (
    JUDGE
    + f"""
print({MARKER!r})
print(f"\\nFrom {{params(args.folders[0])}} to {{params(args.folders[1])}}: <b>@reader</b> see #1.")
print("Changed:", pathlib.Path(args.changed).read_text().split())
"""
)
NAMES = {"scripts/train.py": TRAIN, "scripts/gate.py": GATE, "scripts/report.py": REPORT}


def files() -> dict[str, str]:
    """What main holds."""
    (pinned,) = (
        line.split()[0]
        for line in (PROJECT / "app" / "requirements.txt").read_text().splitlines()
        if line.startswith("requests==")
    )
    real = [f".github/workflows/{name}.yml" for name in WORKFLOWS]
    real += [f"scripts/{name}.py" for name in SCRIPTS] + ["app/requirements.txt"]
    return {
        **{name: (PROJECT / name).read_text(encoding="utf-8") for name in real},
        **NAMES,
        "scripts/registered.py": "print('version=3')\n",
        "scripts/promote.py": "import sys\nprint('Promoted:', *sys.argv[1:], sep='|')\n",
        "notebooks/requirements.txt": f"{pinned}\n",
        "notebooks/train.ipynb": "{}\n",
    }


class Reader:
    """A local GitHub that serves, with the App; people propose, runs are executed or planted."""

    def __init__(self, folder: Path) -> None:
        self.rehearsal = Rehearsal(folder / "home" / "cloud" / "github", folder / "reader")
        self.store, self.vault = self.rehearsal.store, self.rehearsal.vault
        self.app = register(
            self.store, "Model reports", {"contents": "read", "pull_requests": "write"}
        )
        self.vault.set_variable("APP_CLIENT_ID", self.app.client_id)
        self.vault.set_secret("APP_PRIVATE_KEY", self.app.private_key)
        self.rehearsal.commit(files())
        real = {name: files()[f".github/workflows/{name}.yml"] for name in WORKFLOWS}
        self.proposals = Proposals(self.rehearsal, **real)
        self.folder, self.url = folder, ""

    def script(
        self, name: str, *arguments: str, **settings: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run one of the project's scripts as a job does, with the rights that the workflow gives it."""
        job = {"actions": "read", "contents": "read", "pull_requests": "read"}
        if name == "post_report":
            del job["pull_requests"]
        given = {
            "GITHUB_API_URL": f"{self.url}/api/v3",
            "GITHUB_REPOSITORY": "reader/workspace",
            "GITHUB_TOKEN": tokens.issue(self.store, "job", "1", job)[0],
            "APP_TOKEN": tokens.issue(self.store, "app", SLUG, {"pull_requests": "write"})[0],
            "APP_SLUG": SLUG,
        }
        return subprocess.run(
            [sys.executable, PROJECT / "scripts" / f"{name}.py", *arguments],
            cwd=self.folder,
            env={**os.environ, **given, **settings},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def post(self, run: int, **changed: Any) -> "subprocess.CompletedProcess[str]":
        """Report on a run as its event `workflow_run` tells of it."""
        from tutorial.github.forms import Forms

        forms = Forms(self.store.state)
        told = {**forms.run(self.store.run(run)), **changed}
        event = {"workflow_run": told, "repository": forms.repository()}
        path = self.folder / "event.json"
        path.write_text(json.dumps(event), encoding="utf-8")
        return self.script("post_report", GITHUB_EVENT_PATH=str(path))


@contextmanager
def serve(folder: Path) -> Iterator[Reader]:
    """Serve the local GitHub of a reader."""
    (folder / "home").mkdir(exist_ok=True)
    with serving(folder / "home" / "cloud" / "github") as url:
        reader = Reader(folder)
        reader.url = url
        try:
            yield reader
        finally:
            reader.rehearsal.close()
