"""Milestone 5's check against the real server: what holds, and each item saying no."""

import re
from pathlib import Path
from typing import Any

import pytest
from served import BUCKET
from trained import COPY, DATA, EXECUTED, FIGURES, NOT_EXECUTED, Trained

from app import registration
from tutorial.checks import CHECKS, Item, Probe
from tutorial.checks import instrumented_training as check
from tutorial.checks.instrumented_training import FALLBACK, URI
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.serving import RunningApp, start_app
from tutorial.tracking.api import ALIAS, NAME

APP, RUN, PUBLISHED, READY, SWEEP, REBUILT, ALONE = CHECKS[5]


def says_no(item: Item, probe: Probe, words: str) -> None:
    with pytest.raises(TutorialError, match=words):
        item.probe(probe)


def test_what_milestone_5_leaves_holds(
    five: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the app itself, which asks the registry, and a second one that cannot."""
    app = start_app(Home(tmp_path, five.home.workspace), five.config)
    try:
        probe = five.real_probe(monkeypatch, app)
        seen = [item.probe(probe) for item in CHECKS[5]]
    finally:
        app.stop()
    assert seen[0].startswith(f"version 1 of {URI}")
    assert re.search(r"3 parameters, \d+ figures, 1 plots", seen[1])
    assert seen[4] == "C at 0.3, 1.0, 3.0, 30.0: 4 runs, each with an interval"
    assert f"the app serves s3://{BUCKET}/{COPY}, and says so since 20" in seen[6]


def test_what_a_run_must_say_is_what_registration_asks_for() -> None:
    assert check.TAGS == registration.TAGS
    assert check.METRICS == registration.METRICS
    assert check.NAME == registration.NAME


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"uri": f"s3://{BUCKET}/{COPY}", "problem": None}, rf"serves s3://.*, not {URI}\.$"),
        ({"fallback": True, "problem": "MLflow is away."}, r"\(MLflow is away\.\)"),
        ({"version": "2"}, "Version 2 is served, 1 is champion"),
        ({"digest": "0" * 64}, "is not what was registered"),
    ],
    ids=["from the bucket", "a fallback", "another version", "another model"],
)
def test_an_app_that_serves_something_else_is_noticed(
    five: Trained, monkeypatch: pytest.MonkeyPatch, card: dict[str, Any], words: str
) -> None:
    says_no(APP, five.probe(monkeypatch, **card), words)


def test_without_a_champion_every_item_says_so(
    five: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = five.probe(monkeypatch)
    with five.client() as client:
        client.delete_registered_model_alias(NAME, ALIAS)
        try:
            for item in CHECKS[5]:
                says_no(item, probe, "No version of sentiment is champion")
        finally:
            client.set_registered_model_alias(NAME, ALIAS, "1")


def test_without_a_server_every_item_says_so(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", tmp_path / "workspace")
    probe = Probe(home, RunningApp("http://127.0.0.1:1", home))
    for item in CHECKS[5]:
        says_no(item, probe, "There is no tracking server here")


def test_a_champion_whose_run_says_nothing_is_noticed(
    five: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = five.probe(monkeypatch)
    with five.client() as client:
        bare = client.create_run(client.create_experiment("bare")).info.run_id
        source = client.get_model_version(NAME, "1").source
        model_id = source.removeprefix("models:/")
        versions = [
            client.create_model_version(NAME, source, bare, model_id=model_id),
            client.create_model_version(NAME, "s3://somewhere/else"),
        ]
        try:
            client.set_registered_model_alias(NAME, ALIAS, versions[0].version)
            lacking = [f"tag {name}" for name in check.TAGS]
            lacking += [f"metric {name}" for name in check.METRICS]
            lacking += ["parameter", "end", "data set that it was trained on"]
            lacking += ["file train.ipynb", "plot"]
            says_no(RUN, probe, f"Run {bare} has no {', no '.join(lacking)}.")
            client.set_registered_model_alias(NAME, ALIAS, versions[1].version)
            says_no(RUN, probe, "names no run that trained it")
        finally:
            client.set_registered_model_alias(NAME, ALIAS, "1")
            for version in versions:
                client.delete_model_version(NAME, version.version)


def test_a_record_with_a_gap_is_noticed(five: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = five.probe(monkeypatch)
    with five.tagged(five.champion, lock_digest=None):
        says_no(RUN, probe, f"Run {five.champion} has no tag lock_digest\\.")
    with five.tagged(five.champion, data_digest="0" * 64):
        says_no(RUN, probe, r"has no data set that it was trained on\.")
    with five.client() as client:
        client.log_dict(five.champion, NOT_EXECUTED, "train.ipynb")
        says_no(RUN, probe, "it has no outputs")
        client.log_text(five.champion, "not a notebook", "train.ipynb")
        says_no(RUN, probe, "it has no outputs")
        client.log_dict(five.champion, EXECUTED, "train.ipynb")
        place = client.get_model_version_download_uri(NAME, "1")
    key = f"mlflow/{place.removeprefix('mlflow-artifacts:/')}/model.skops"
    with five.instead(key, b"another file"):
        says_no(RUN, probe, "is not the one that was logged")
    with five.instead(key, None):
        says_no(RUN, probe, "model.skops cannot be had")
    assert RUN.probe(probe)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, f"s3://{BUCKET}/{DATA}: NoSuchKey"),
        (b"review,sentiment,film\nA fine film,positive,F\n", "is data .* was trained on"),
        (b"review\nA fine film\n", r"data/train\.csv has no column `sentiment`"),
    ],
    ids=["gone", "other reviews", "no labels"],
)
def test_data_that_is_not_the_champions_is_noticed(
    five: Trained, monkeypatch: pytest.MonkeyPatch, content: bytes | None, words: str
) -> None:
    with five.instead(DATA, content):
        says_no(PUBLISHED, five.probe(monkeypatch), words)


def test_a_copy_that_is_another_file_is_noticed(
    five: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = five.probe(monkeypatch)
    with five.instead(COPY, b"another"):
        says_no(READY, probe, "is another file than version 1")
    with five.instead(COPY, None):
        says_no(READY, probe, f"The app cannot read s3://{BUCKET}/{COPY}")
    nowhere = {**five.config, FALLBACK: f"s3://{BUCKET}/{DATA}"}
    says_no(READY, five.probe(monkeypatch, nowhere), "cannot read .*: AccessDenied")
    unset = {name: value for name, value in five.config.items() if name != FALLBACK}
    for item in (READY, PUBLISHED):
        says_no(item, five.probe(monkeypatch, unset), "MODEL_FALLBACK_URI is not set")


def test_runs_that_are_no_sweep_are_noticed(five: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = five.probe(monkeypatch)
    with five.client() as client:
        experiment = client.get_run(five.champion).info.experiment_id
        client.delete_run(five.runs[3])
        made = []
        try:
            others: list[tuple[dict[str, Any], dict[str, float], str]] = [
                ({"C": 9, "blend": 0.25}, {"test_accuracy": 0.8}, "FINISHED"),  # no interval
                ({"C": 9, "blend": 0.25}, FIGURES, "FAILED"),
                ({"C": 9, "blend": 0.5}, FIGURES, "FINISHED"),  # differs in two
                ({"C": 3.0, "blend": 0.25}, FIGURES, "FINISHED"),  # the same again
            ]
            for params, figures, status in others:
                run_id = client.create_run(experiment).info.run_id
                made.append(run_id)
                for name, value in (params | {"data": "workshop"}).items():
                    client.log_param(run_id, name, value)
                for name, figure in figures.items():
                    client.log_metric(run_id, name, figure)
                client.set_terminated(run_id, status)
            says_no(SWEEP, probe, "Of 5 finished runs with an interval, 3 differ in one parameter")
        finally:
            client.restore_run(five.runs[3])
            for run_id in made:
                client.delete_run(run_id)
    assert "4 runs" in SWEEP.probe(probe)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"rebuilt_digest": None}, "Nobody has rebuilt run"),
        ({"rebuilt_digest": "0" * 64}, "is model 000000000000, not"),
        ({"git_commit": "c" * 40 + "-dirty"}, "was never committed"),
    ],
    ids=["nobody did", "another model", "not committed"],
)
def test_a_champion_that_was_not_rebuilt_is_noticed(
    five: Trained, monkeypatch: pytest.MonkeyPatch, tags: dict[str, str | None], words: str
) -> None:
    with five.tagged(five.champion, **tags):
        says_no(REBUILT, five.probe(monkeypatch), words)


def test_an_app_that_has_nothing_to_fall_back_to_is_noticed(
    five: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What this kernel's settings say is none of the deployed app's.
    monkeypatch.setenv(FALLBACK, five.config[FALLBACK])
    config = {name: value for name, value in five.config.items() if name != FALLBACK}
    probe = five.real_probe(monkeypatch, RunningApp("http://127.0.0.1:1", five.home), config)
    says_no(ALONE, probe, "Without the server it has no model: .*does not answer")
    assert five.home.recall("app") is None  # what the reader started would be known still


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"fallback": False}, "its card says nothing is wrong"),
        ({"problem": None}, "its card says nothing is wrong"),
        ({"problem_since": None}, "its card says nothing is wrong"),
        ({"digest": "0" * 64}, "is another model than version 1"),
    ],
    ids=["no fallback", "no problem", "no time", "another model"],
)
def test_an_app_that_hides_what_stands_in_is_noticed(
    five: Trained, monkeypatch: pytest.MonkeyPatch, card: dict[str, Any], words: str
) -> None:
    told = {"fallback": True, "problem": "MLflow is away.", "problem_since": "now"} | card
    probe = five.probe(monkeypatch, **told)
    monkeypatch.setattr(check, "start_app", lambda home, environment: probe.app)
    says_no(ALONE, probe, words)
