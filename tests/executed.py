"""What executing the notebooks leaves, and what belongs to the project."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tutorial.home import PROJECT, Home

CORPORA = PROJECT.parent / "shared" / "data" / "nltk_data" / "corpora"


@dataclass(frozen=True)
class Chain:
    """What executing the notebooks left: the copy of the project, with outputs, and the home."""

    copy: Path
    home: Home


def project_files() -> list[str]:
    """Return what belongs to the project: what git tracks, and what it would if it were added."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.splitlines() if (PROJECT / name).is_file()]


def corpora_at_hand() -> dict[str, str]:
    """Where real corpora lie beside the project, say so to the app: a chapter measures a model on them."""
    return {"CORPORA_URL": str(CORPORA)} if CORPORA.is_dir() else {}
