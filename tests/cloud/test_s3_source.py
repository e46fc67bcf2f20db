"""The app's S3 source against S3 itself: keys that may only read, uploads good and bad, the way back."""

import datetime
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import skops.io
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from app.data import read_reviews
from app.live import Live
from app.model import Params, train
from app.model_file import model_digest, save
from app.settings import Settings
from app.sources import SourceError, fetch
from app.sources import s3 as source
from local_s3 import LocalS3, local_s3, policy
from tutorial.home import PROJECT

BUCKET = "reviews-of-a-reader"
URI = f"s3://{BUCKET}/models/sentiment.skops"
Keys = tuple[str, str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalS3]:
    with local_s3(tmp_path_factory.mktemp("s3")) as server:
        server.bucket(BUCKET)
        yield server


@pytest.fixture(scope="module")
def trainer(server: LocalS3) -> Keys:
    return server.user("trainer", policy("trainer-writes", BUCKET))


@pytest.fixture(scope="module")
def app(server: LocalS3) -> Keys:
    return server.user("app", policy("app-reads", BUCKET))


@pytest.fixture(scope="module")
def models() -> tuple[Pipeline, Pipeline]:
    """Two small models that differ."""
    reviews = read_reviews(PROJECT / "data" / "train.csv").head(200)
    return train(reviews), train(reviews, Params(C=2.0))


def upload(server: LocalS3, keys: Keys, *arguments: str) -> str:
    """Run the reader's script as the trainer does; return what it prints."""
    command = [sys.executable, str(PROJECT / "scripts" / "upload.py"), *arguments]
    environment = {**os.environ, **server.environment(keys)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def version_in(said: str) -> str:
    return said.split()[-1]


def use(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    source.client.cache_clear()


@pytest.fixture
def first(server: LocalS3, trainer: Keys, models: tuple[Pipeline, Pipeline], tmp_path: Path) -> str:
    """The version of a first model, uploaded by the trainer."""
    save(models[0], tmp_path / "first.skops")
    return version_in(upload(server, trainer, str(tmp_path / "first.skops"), URI))


@pytest.fixture
def live(server: LocalS3, app: Keys, first: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    """The first model in service, by the keys of the app."""
    use(monkeypatch, server.environment(app))
    live = Live(Settings(URI))
    live.refresh()
    assert live.card()["version"] == first
    assert live.card()["problem"] is None
    yield live
    source.client.cache_clear()


def test_a_new_upload_goes_live_and_the_old_version_can_come_back(
    live: Live,
    server: LocalS3,
    trainer: Keys,
    first: str,
    models: tuple[Pipeline, Pipeline],
    tmp_path: Path,
) -> None:
    save(models[1], tmp_path / "second.skops")
    second = version_in(upload(server, trainer, str(tmp_path / "second.skops"), URI))
    live.refresh()
    assert live.card()["version"] == second
    assert live.card()["digest"] == model_digest(models[1])

    third = version_in(upload(server, trainer, "--restore", first, URI))
    live.refresh()
    assert live.card()["version"] == third
    assert live.card()["digest"] == model_digest(models[0])


def cut_short(path: Path, model: Pipeline) -> None:
    save(model, path)
    path.write_bytes(path.read_bytes()[:1000])


def a_pickle(path: Path, model: Pipeline) -> None:
    path.write_bytes(pickle.dumps(model))


def a_foreign_class(path: Path, model: Pipeline) -> None:
    skops.io.dump(Pipeline([("run", FunctionTransformer(os.system))]), path)


@pytest.mark.parametrize("bad", [cut_short, a_pickle, a_foreign_class])
def test_a_bad_upload_leaves_the_model_in_service_until_it_is_taken_back(
    live: Live,
    server: LocalS3,
    trainer: Keys,
    first: str,
    models: tuple[Pipeline, Pipeline],
    tmp_path: Path,
    bad: Callable[[Path, Pipeline], None],
) -> None:
    # given
    before = live.serving
    bad(tmp_path / "bad.skops", models[1])

    # when
    upload(server, trainer, str(tmp_path / "bad.skops"), URI)
    live.refresh()

    # then
    card = live.card()
    assert live.serving is before
    assert (card["status"], card["version"]) == ("serving", first)
    assert card["problem"].startswith(URI)
    assert card["problem"].endswith(".")

    # when
    back = version_in(upload(server, trainer, "--restore", first, URI))
    live.refresh()

    # then
    card = live.card()
    assert (card["digest"], card["version"], card["problem"]) == (
        model_digest(models[0]),
        back,
        None,
    )


def test_with_a_wrong_secret_the_app_says_so(
    server: LocalS3, app: Keys, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, server.environment((app[0], "x" * 40)))
    with pytest.raises(SourceError, match="AWS_SECRET_ACCESS_KEY is not the secret") as refused:
        fetch(URI)
    assert "x" * 40 not in str(refused.value)


def test_a_key_that_nobody_has_is_named_by_its_variable(
    server: LocalS3, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, server.environment(("AKIAIOSFODNN7EXAMPLE", "x")))
    with pytest.raises(SourceError, match="S3 does not know AWS_ACCESS_KEY_ID"):
        fetch(URI)


def test_a_clock_that_is_wrong_is_named(
    server: LocalS3, app: Keys, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, server.environment(app))
    late = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(hours=1)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: late)
    with pytest.raises(SourceError, match="clock"):
        fetch(URI)


@pytest.mark.parametrize(
    ("uri", "advice"),
    [
        (f"s3://{BUCKET}/data/train.csv", "lacks the permission s3:GetObject"),
        (f"s3://{BUCKET}/models/nothing.skops", "upload it"),
        ("s3://nobodys-bucket/models/x.skops", "there is no such bucket"),
    ],
)
def test_what_the_app_may_not_see_or_is_not_there_is_named(
    server: LocalS3, app: Keys, monkeypatch: pytest.MonkeyPatch, uri: str, advice: str
) -> None:
    use(monkeypatch, server.environment(app))
    with pytest.raises(SourceError, match=advice):
        fetch(uri)
