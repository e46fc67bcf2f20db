"""The app against a real registry: it follows the alias, and whatever happens there, it answers."""

import time
from pathlib import Path

import mlflow
import pytest
from trainings import FALLBACK, PASSWORD, Logged, start_anew

from app.live import Live
from app.settings import Settings
from local_s3 import LocalS3, policy
from tracking_server import Way

URI = "models:/sentiment@champion"


@pytest.fixture
def champion(registry: mlflow.MlflowClient) -> mlflow.MlflowClient:
    """Version 1 is champion."""
    registry.set_registered_model_alias("sentiment", "champion", "1")
    return registry


def started(fallback: str = "") -> Live:
    """An app that has looked once."""
    live = Live(Settings(URI, fallback_uri=fallback))
    live.refresh()
    return live


def answers(live: Live) -> tuple[str, str | None, str | None, bool]:
    card = live.card()
    assert PASSWORD not in str(card)
    return card["status"], card["version"], card["digest"], card["problem"] is None


def test_a_promotion_and_the_way_back_are_live_at_the_next_look(
    champion: mlflow.MlflowClient, logged: list[Logged]
) -> None:
    live = started()
    assert answers(live) == ("serving", "1", logged[0].digest, True)

    champion.set_registered_model_alias("sentiment", "champion", "3")
    live.refresh()
    assert answers(live) == ("serving", "3", logged[2].digest, True)

    champion.set_registered_model_alias("sentiment", "champion", "1")
    live.refresh()
    assert answers(live) == ("serving", "1", logged[0].digest, True)


def test_when_the_server_goes_the_app_stays_and_when_it_is_back_the_app_follows(
    champion: mlflow.MlflowClient, logged: list[Logged], way: Way
) -> None:
    live = started()

    way.cut()
    live.refresh()
    assert answers(live) == ("serving", "1", logged[0].digest, False)
    assert "does not answer" in live.card()["problem"]

    champion.set_registered_model_alias("sentiment", "champion", "2")
    way.open()
    live.refresh()
    assert answers(live) == ("serving", "2", logged[1].digest, True)


def test_a_server_that_takes_connections_and_says_nothing_is_given_up(
    champion: mlflow.MlflowClient, logged: list[Logged], way: Way, settings: pytest.MonkeyPatch
) -> None:
    settings.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    live = started()
    way.cut()
    way.hangs = True
    way.open()

    live.refresh()

    assert answers(live) == ("serving", "1", logged[0].digest, False)
    assert "does not answer" in live.card()["problem"]


@pytest.fixture
def app_keys(s3_server: LocalS3, settings: pytest.MonkeyPatch) -> None:
    """The app's own keys to the bucket, which may read models, and nothing else."""
    name = f"app-{time.monotonic_ns()}"
    keys = s3_server.user(name, policy("app-reads", FALLBACK.split("/")[2]))
    for setting, value in s3_server.environment(keys).items():
        settings.setenv(setting, value)
    start_anew()


def test_an_app_that_starts_without_the_server_answers_with_the_copy_in_s3(
    champion: mlflow.MlflowClient,
    logged: list[Logged],
    way: Way,
    app_keys: None,
    s3_server: LocalS3,
) -> None:
    # given
    bucket, key = FALLBACK.removeprefix("s3://").split("/", 1)
    copy = s3_server.client().put_object(Bucket=bucket, Key=key, Body=logged[1].path.read_bytes())
    way.cut()

    # when
    live = started(FALLBACK)

    # then
    card = live.card()
    assert answers(live) == ("serving", copy["VersionId"], logged[1].digest, False)
    assert (card["uri"], card["fallback"], card["run"]) == (FALLBACK, True, None)
    assert card["problem"].startswith(f"{URI} cannot be had: ")

    # when
    way.open()
    live.refresh()

    # then
    assert answers(live) == ("serving", "1", logged[0].digest, True)
    assert live.card()["fallback"] is False


@pytest.mark.parametrize("broken", ["the alias", "the artifact", "the version"])
def test_whatever_breaks_in_the_registry_the_model_in_service_goes_on(
    champion: mlflow.MlflowClient, logged: list[Logged], server_folder: Path, broken: str
) -> None:
    # given
    live = started()
    (artifact,) = (server_folder / "artifacts").rglob(f"{logged[1].model_id}/**/model.skops")
    whole = artifact.read_bytes()

    # when
    try:
        if broken == "the alias":
            champion.delete_registered_model_alias("sentiment", "champion")
        elif broken == "the artifact":
            artifact.write_bytes(whole[:-1] + b"x")
            champion.set_registered_model_alias("sentiment", "champion", "2")
        else:
            champion.delete_model_version("sentiment", "1")
        live.refresh()
    finally:
        artifact.write_bytes(whole)

    # then
    assert answers(live) == ("serving", "1", logged[0].digest, False)

    # when it is whole again, and champion
    champion.set_registered_model_alias("sentiment", "champion", "2")
    live.refresh()

    # then
    assert answers(live) == ("serving", "2", logged[1].digest, True)
