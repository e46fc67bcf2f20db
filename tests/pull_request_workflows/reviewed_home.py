"""A home as milestone 6 leaves it: three pull requests on a local GitHub, three versions in a real MLflow."""

import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from reader_repository import MARKER, SLUG, Reader

from tests.tutorial.small_server import in_json, small_server
from tutorial.audit import Answer, audit
from tutorial.checks import Probe
from tutorial.checks.pull_requests import COMPARES
from tutorial.github.artifacts import keep
from tutorial.github.conversation import add_comment, add_review
from tutorial.github.events import queue_after
from tutorial.github.movement import merge_pull
from tutorial.github.people import Actor, person
from tutorial.github.pulls import change_pull
from tutorial.github.store import Row, Store
from tutorial.home import Home
from tutorial.serving import RunningApp
from tutorial.tracking import record
from tutorial.tracking.api import ALIAS, NAME

APP = Actor(f"{SLUG}[bot]", {"pull_requests": "write"})
SECRETS = {
    "MLFLOW_TRACKING_URI": "https://mlflow.example.org",
    "MLFLOW_TRACKING_USERNAME": "mlflow",
    "MLFLOW_TRACKING_PASSWORD": "the-servers-own_password",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
INPUT, MODEL = "1" * 64, "d" * 64
FALLBACK = "s3://reviews-and-models/models/sentiment.skops"


@dataclass
class Reviewed:
    """Pull request `more` was merged and is live, `luck` refused, `attack` a stranger's."""

    home: Home
    store: Store
    client: Any  # MLflow's, where a test asks that
    more: Row
    luck: Row
    attack: Row
    runs: dict[str, int] = field(default_factory=dict)  # of train.yml, and `report` on the attack

    def card(self, **change: Any) -> dict[str, Any]:
        """What the live app says of the champion, with something changed."""
        version = self.client.get_model_version_by_alias(NAME, ALIAS)
        said = {"status": "serving", "uri": f"models:/{NAME}@{ALIAS}", "fallback": False}
        said |= {"version": str(version.version), "run": version.run_id, "digest": MODEL}
        return said | {"checked": "now", "since": now(), "problem": None} | change

    def probe(self, patch: pytest.MonkeyPatch, **change: Any) -> Probe:
        """A probe of an app that tells this card."""
        told = self.card(**change)
        patch.setattr(RunningApp, "card", lambda app, timeout=10: told)
        return Probe(self.home, RunningApp("http://127.0.0.1:1", self.home))

    def audited(self, **change: Any) -> Answer:
        """Who reviewed the change, by the audit of an app that tells this card."""
        with small_server({"/model": in_json(self.card(**change))}) as server:
            self.home.record("app", {"url": server.url, "pid": os.getpid()})
            return audit(self.home)[6]

    @contextmanager
    def tagged(self, number: str = "2", **tags: str) -> Iterator[None]:
        """Have tags of a version changed; an empty one is as good as none."""
        former = self.client.get_model_version(NAME, number).tags
        for name, value in tags.items():
            self.client.set_model_version_tag(NAME, number, name, value)
        try:
            yield
        finally:
            for name in tags:
                if name in former:
                    self.client.set_model_version_tag(NAME, number, name, former[name])
                else:
                    self.client.delete_model_version_tag(NAME, number, name)

    def leave(self, run: int, text: str, step: int = 1) -> None:
        """Write a log of a run's first job."""
        leave(self.store, run, text, step)

    def upload(self, run: int, name: str, **files: str | bytes) -> None:
        """Keep an artifact."""
        upload(self.store, run, name, files)


def now() -> str:
    """The time as cards and tags have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def leave(store: Store, run: int, text: str, step: int = 1) -> None:
    job = store.jobs(run)[0]["id"]
    path = store.log_file(run, job, step)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def upload(store: Store, run: int, name: str, files: dict[str, Any]) -> None:
    path = store.state / "new.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in files.items():
            archive.writestr(file, content)
    keep(store, run, name, path)


def trained(store: Store, run: int, conclusion: str) -> None:
    """Let a run of train.yml end: its model is trained, and the gate says so."""
    for key, name, ended in (
        ("train", "Train the model", "success"),
        ("gate", "Is it better?", conclusion),
    ):
        job = store.insert(
            "jobs", run=run, key=key, name=name, status="completed", conclusion=ended
        )
        store.insert("steps", job=job, number=1, name="Ask", status="completed", conclusion=ended)
    store.finish("runs", run, conclusion)
    leave(store, run, "Collecting mlflow\nRight on 94.7%\n")
    said = {"input_digest": INPUT, "git_commit": store.run(run)["sha"]}
    upload(store, run, "model", {"record.json": json.dumps(said), "train.ipynb": "import mlflow"})


def report(pull: Row, verdict: str) -> str:
    """A comment as post_report.py writes it."""
    about = f"[Run 1](http://127.0.0.1/1) of commit {pull['head_sha']}: **{verdict}**."
    return f"{MARKER}\n\n{about}\n\n## Yes\n\n{COMPARES}\n\n| | Champion | Challenger |"


def propose(reader: Reader, branch: str, verdict: str, owner: str = "reader") -> tuple[Row, int]:
    """A pull request that was trained, judged and told of."""
    change = {"params.yaml": f"data: {branch}\n"}
    pull, queued = reader.proposals.propose(branch, change, owner)
    (run,) = queued.runs
    trained(reader.store, run, verdict)
    add_comment(reader.store, pull["id"], report(pull, verdict), APP)
    return pull, run


def changed(reader: Reader) -> dict[str, Any]:
    """Do on the local GitHub what the chapter does; return the pull requests and runs."""
    store = reader.store
    for name, value in SECRETS.items():
        reader.vault.set_secret(name, value)
    more, first = propose(reader, "more", "success")
    add_review(store, more["id"], "APPROVE", "", person("maintainer"))
    more, _ = merge_pull(store, more["id"], person("maintainer"))
    luck, second = propose(reader, "luck", "failure")
    add_review(store, luck["id"], "APPROVE", "Looks better.", person("maintainer"))
    luck, _ = change_pull(store, luck["id"], person("reader"), state="closed")
    attack, third = propose(reader, "attack", "failure", "stranger")
    (told,) = queue_after(store, reader.rehearsal.repository, store.run(third), "completed")
    job = store.insert("jobs", run=told, key="report", name="Report", status="completed")
    store.insert("steps", job=job, number=1, name="Post", status="completed")
    store.finish("runs", told, "success")
    leave(store, told, "Pull request 3 has a comment now.\n")
    runs = {"more": first, "luck": second, "attack": third, "report": told}
    return {"more": more, "luck": luck, "attack": attack, "runs": runs}


def registered(client: MlflowClient, commit: str) -> None:
    """Version 1 was promoted by hand and taken back; 2 came by the pull request, and is champion."""
    client.create_registered_model(NAME)
    experiment = client.create_experiment("sentiment")
    by_hand = {"promoted_by": "reader", "promoted_why": "I liked it"}
    by_hand |= {"rolled_back_by": "reader", "rolled_back_why": "bad", "rolled_back_at": now()}
    by_pull = {"promoted_by": "maintainer", "promoted_why": "pull request #1"}
    for tags in (by_hand, by_pull):
        mine = {"input_digest": INPUT, "git_commit": commit, "model_digest": MODEL}
        run = client.create_run(experiment, tags=mine).info.run_id
        client.set_terminated(run)
        client.create_model_version(NAME, "s3://somewhere/else", run, tags={**mine, **tags})
    client.set_registered_model_alias(NAME, ALIAS, "2")


def at(
    reader: Reader, root: Path, made: dict[str, Any], client: MlflowClient | None, port: int
) -> Reviewed:
    """Copy the local GitHub into a home of the test's own; MLflow is everybody's."""
    home = Home(root, root / "workspace")
    shutil.copytree(reader.store.state, root / "cloud" / "github")
    shutil.copytree(reader.rehearsal.reader, home.workspace)
    ports = {"mlflow": port, "nginx": port}
    record.keep(home, record.Tracking(ports, 1, "reviews-and-models", "mlflow", "any"))
    return Reviewed(home, Store(root / "cloud" / "github"), client, **made)
