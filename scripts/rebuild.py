"""Train a run's model again, from what the run says of itself alone, and see whether it is the same.

In a folder of its own: the commit that the run names, its parameters, and no tracking server. That
it was rebuilt, when, by whom and with which digest, is added to the run.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # where `app` is

from app.sources import SourceError
from app.sources.registry_client import client
from app.sources.registry_errors import in_a_sentence
from champion import PromotionError, whoami

ROOT = Path(__file__).resolve().parents[1]
# In the order in which one makes the next differ.
DIGESTS = ("data_digest", "test_digest", "lock_digest", "input_digest", "model_digest")


def main() -> None:
    """Rebuild; exit status 1, and a sentence on standard error, where another model comes out, or none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="the run's id")
    parser.add_argument("--by", default="", help="who rebuilds it, if not you")
    args = parser.parse_args()
    try:
        who = args.by or whoami()
        with in_a_sentence(f"Run {args.run}"):
            told = client().get_run(args.run).data
        record = trained_again(told.tags.get("git_commit", ""), told.params)
        for name in DIGESTS:
            same = record[name] == told.tags.get(name)
            print(f"{'same' if same else 'NOT THE SAME':<13}{name:<14}{record[name][:16]}")
            if not same:
                sys.exit(f"The {name} of run {args.run} is {str(told.tags.get(name))[:16]}.")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with in_a_sentence(f"Run {args.run}"):
            for name, value in (("by", who), ("at", now), ("digest", record["model_digest"])):
                client().set_tag(args.run, f"rebuilt_{name}", value)
    except (PromotionError, SourceError) as error:
        sys.exit(str(error))


def trained_again(commit: str, parameters: dict[str, str]) -> dict[str, Any]:
    """Return the record of the same training, done in an empty folder. Raises `SourceError`."""
    if commit.endswith("-dirty"):
        raise SourceError("This run's code was never committed: nobody can have it again.")
    if not re.fullmatch("[0-9a-f]{40}", commit):
        raise SourceError("This run does not name its commit: nobody can have its code again.")
    with tempfile.TemporaryDirectory(prefix="rebuild-") as folder:
        git = ["git", "-C", str(ROOT), "-c", f"core.hooksPath={os.devnull}", "worktree"]
        here = str(Path(folder) / "commit")
        done = subprocess.run([*git, "add", "--detach", "--quiet", here, commit])
        if done.returncode:
            raise SourceError(f"Commit {commit[:12]} is not in this repository: fetch it.")
        try:
            settings = [f"-p={name}={value}" for name, value in parameters.items()]
            done = subprocess.run(
                [sys.executable, "scripts/train.py", *settings],
                cwd=here,
                env=os.environ | {"MLFLOW_TRACKING_URI": ""},  # its record is for this alone
            )
            if done.returncode:
                raise SourceError("It could not be trained again: what was said stands above.")
            return dict(json.loads(Path(here, "training/record.json").read_text("utf-8")))
        finally:
            subprocess.run([*git, "remove", "--force", here], check=False)


if __name__ == "__main__":
    main()
