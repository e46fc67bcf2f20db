"""A reader's workspace in small: what a training needs, committed, and scripts/train.py run in it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from app.corpora import Split, labelled
from tutorial.home import PROJECT

ROWS: dict[Split, int] = {"train": 300, "test": 200}
GIVEN = ("params.yaml", "notebooks/train.ipynb", "notebooks/requirements.txt", "data/behaviour.csv")
SCRIPTS = ("train.py", "rebuild.py", "champion.py")
# Of a person, or of a machine that runs tests: a training would do something else with them.
THEIRS = ("AWS_", "CI", "GIT", "MLFLOW_", "MODEL_", "PYTEST_", "PYTHON", "HTTP", "ALL_PROXY")


@dataclass(frozen=True)
class Said:
    """What a program left: its exit status, and its two streams."""

    status: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The last line on standard error, behind any bar."""
        return self.err.replace("\r", "\n").strip().splitlines()[-1]


@dataclass(frozen=True)
class Workspace:
    """The folder, and the variables that every program in it is given."""

    folder: Path
    environment: Mapping[str, str]

    def copy(self, folder: Path, **environment: str) -> "Workspace":
        """Return the same in another folder, with other variables added."""
        shutil.copytree(self.folder, folder)
        return Workspace(folder, {**self.environment, **environment})

    def start(self, *command: str, cwd: Path | None = None) -> "subprocess.Popen[str]":
        """Start a command of Python's, by default here."""
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=cwd or self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def train(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a training."""
        return self.start("scripts/train.py", *arguments)

    def git(self, *arguments: str) -> str:
        me = ["-c", "user.name=Grace", "-c", "user.email=grace@example.org"]
        done = subprocess.run(
            ["git", *me, *arguments],
            **{"cwd": self.folder, "env": self.environment},
            **{"check": True, "capture_output": True, "text": True},
        )
        return str(done.stdout.strip())

    def former(self) -> dict[str, bytes]:
        """Leave what a former training left; return it."""
        (self.folder / "training").mkdir()
        for name in ("record.json", "model.skops"):
            (self.folder / "training" / name).write_bytes(b"the former one's " + name.encode())
        return self.left("training")

    def left(self, name: str) -> dict[str, bytes]:
        """Return the files in a folder by their names."""
        files = (path for path in (self.folder / name).rglob("*") if path.is_file())
        return {
            path.relative_to(self.folder / name).as_posix(): path.read_bytes() for path in files
        }

    def record(self, name: str = "training") -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.folder / name / "record.json").read_text("utf-8"))
        return told


def ended(process: "subprocess.Popen[str]") -> Said:
    """Wait for a program's end."""
    out, err = process.communicate()
    return Said(process.returncode, out, err)


def make(folder: Path) -> Workspace:
    """Make the workspace, with few reviews and a small model, so that a training takes seconds."""
    environment = {k: v for k, v in os.environ.items() if not k.upper().startswith(THEIRS)}
    environment |= {"HOME": str(folder.parent), "GIT_CONFIG_NOSYSTEM": "1"}
    workspace = Workspace(folder, environment)
    shutil.copytree(PROJECT / "app", folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (*GIVEN, *(f"scripts/{name}" for name in SCRIPTS)):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(PROJECT / name, folder / name)
    ignored = PROJECT / "scripts" / "tutorial" / "templates" / "gitignore"
    shutil.copyfile(ignored, folder / ".gitignore")
    with (folder / "params.yaml").open("a", encoding="utf-8") as file:
        file.write("bits: 12\n")
    for split, rows in ROWS.items():
        reviews(split).sample(rows, random_state=1).to_csv(
            folder / "data" / f"{split}.csv", index=False
        )
    workspace.git("init", "--quiet", "--initial-branch=main", ".")
    workspace.git("add", ".")
    workspace.git("commit", "--quiet", "-m", "a workspace")
    return workspace


def reviews(split: Split) -> pd.DataFrame:
    return labelled(str(PROJECT / "data" / f"{split}.csv"), split)
