"""A model in a registry: the champion is fetched whole or not at all, and a sentence says what is wrong."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from plain import is_one_sentence
from sklearn.pipeline import Pipeline
from small_registry import API, ARTIFACTS, SmallRegistry, refusal, small_registry

from app.live import Live
from app.model import Params, train
from app.model_file import model_digest, save
from app.settings import Settings
from app.sources import Fetched, SourceError, fetch, registry_client

URI = "models:/sentiment@champion"
PASSWORD = "correct-horse-battery"  # noqa: S105


@pytest.fixture(scope="module")
def server() -> Iterator[SmallRegistry]:
    with small_registry() as server:
        yield server


@pytest.fixture
def registry(server: SmallRegistry, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallRegistry]:
    """A registry whose champion is a small file, and an app that has its address and a password."""
    for name in list(os.environ):
        if name.startswith("MLFLOW_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in registry_client.SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "app")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    vars(server).update(vars(SmallRegistry(url=server.url)))
    server.register("1", b"first")
    start_anew()
    yield server
    start_anew()


def start_anew() -> None:
    """Read the MLFLOW_* variables again and forget every file, as the app does when it starts."""
    registry_client.client.cache_clear()
    registry_client._folder.cache_clear()


def got(uri: str = URI, known: str | None = None) -> Fetched:
    fetched = fetch(uri, known)
    assert fetched is not None
    return fetched


def refused(uri: str = URI) -> str:
    with pytest.raises(SourceError) as refused:
        fetch(uri)
    message = str(refused.value)
    assert is_one_sentence(message)
    assert PASSWORD not in message
    return message


def test_the_champion_becomes_a_file_and_proves_what_its_tags_say(registry: SmallRegistry) -> None:
    registry.register(
        "7",
        b"seventh",
        model_digest="d1",
        git_commit="c0ffee",
        data_digest="da7a",
        data_rows="2010",
        test_accuracy="83%, on 500 reviews",
        private="s3cr3t",
    )

    fetched = got()

    assert fetched.path.read_bytes() == b"seventh"
    assert fetched.proof == {
        "version": "7",
        "registered": "2026-11-25T09:46:40+00:00",
        "run": "run-7",
        "code": "c0ffee",
        "data": "da7a (2010 rows)",
        "accuracy": "83%, on 500 reviews",
        "digest": "d1",
    }


def test_what_nobody_wrote_down_is_not_proved(registry: SmallRegistry) -> None:
    assert set(got().proof) == {"version", "registered", "run"}


def test_a_version_by_its_number_is_the_same(registry: SmallRegistry) -> None:
    registry.register("2", b"second")
    assert got("models:/sentiment/1").path.read_bytes() == b"first"


def test_a_look_that_finds_nothing_new_is_one_small_request(registry: SmallRegistry) -> None:
    first = got()
    registry.asked.clear()

    assert fetch(URI, first.version) is None
    assert registry.asked == [f"{API}/registered-models/alias"]


def test_a_promotion_is_another_version_and_going_back_takes_no_download(
    registry: SmallRegistry,
) -> None:
    first = got()
    registry.register("2", b"second")
    second = got(known=first.version)
    registry.aliases["champion"] = "1"
    registry.asked.clear()
    third = got(known=second.version)

    assert second.path.read_bytes() == b"second"
    assert third == first
    assert third.path.read_bytes() == b"first"
    assert registry.asked == [f"{API}/registered-models/alias"]


def test_a_number_that_names_another_file_now_is_another_version(registry: SmallRegistry) -> None:
    """As where the model was removed and registered anew."""
    first = got()
    registry.register("1", b"another")
    assert got(known=first.version).path.read_bytes() == b"another"


def test_a_file_that_somebody_changed_is_downloaded_again(registry: SmallRegistry) -> None:
    got().path.write_bytes(b"changed")
    assert got().path.read_bytes() == b"first"


def test_only_the_newest_files_are_kept(registry: SmallRegistry) -> None:
    for number in range(1, 7):
        registry.register(str(number), b"file %d" % number)
        folder = got().path.parent
    kept = sorted(path.read_bytes() for path in folder.iterdir())
    assert kept == [b"file 4", b"file 5", b"file 6"]


def test_nobody_else_may_read_what_was_fetched(registry: SmallRegistry) -> None:
    assert got().path.parent.stat().st_mode & 0o077 == 0


BREAK: dict[str, tuple[Callable[[SmallRegistry], object], str]] = {
    "damaged": (lambda it: it.files["2"].update({"model.skops": b"sec0nd"}), "is damaged"),
    "empty": (lambda it: it.files["2"].update({"model.skops": b""}), "is damaged"),
    "a pickle": (lambda it: it.files.update({"2": {"model.pkl": b""}}), "no file model.skops"),
    "not logged by us": (lambda it: it.tags["2"].pop("file_sha256"), "no tag file_sha256"),
    "a path": (lambda it: it.tags["2"].update(file_sha256="../x"), "no tag file_sha256"),
    "too large": (lambda it: setattr(it, "claimed", 100_000_001), "100,000,001 bytes"),
}


@pytest.mark.parametrize("broken", BREAK)
def test_what_is_not_the_file_that_was_logged_is_thrown_away(
    registry: SmallRegistry, broken: str
) -> None:
    # given
    kept = got().path
    registry.register("2", b"second")
    breaks, complaint = BREAK[broken]
    breaks(registry)

    # when
    message = refused()

    # then
    assert complaint in message
    assert "ersion 2 of sentiment" in message
    assert [path.read_bytes() for path in kept.parent.iterdir()] == [b"first"]


@pytest.mark.parametrize(
    ("uri", "advice"),
    [
        ("models:/sentiment@nobody", "no such model, version or alias"),
        ("models:/sentiment/9", "no such model, version or alias"),
        ("models:/other/1", "no such model, version or alias"),
        *[
            (uri, "models:/NAME@ALIAS")
            for uri in (
                "models:",
                "models:/sentiment",
                "models://sentiment@champion",
                "models:/a/b@champion",
                "models:/sentiment@",
                "models:/sentiment/latest",
                "models:/sentiment/0",
                "models:/sentiment@champion/x",
                "models:/sent\niment/1",
            )
        ],
    ],
)
def test_what_is_not_registered_is_named(registry: SmallRegistry, uri: str, advice: str) -> None:
    message = refused(uri)
    assert uri in message or repr(uri) in message
    assert advice in message


@pytest.mark.parametrize("failing", [API, ARTIFACTS])
@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ((401, b"<html>"), "MLFLOW_TRACKING_PASSWORD"),
        ((403, b"Invalid Host header"), "refuses this user"),
        (refusal(403, "PERMISSION_DENIED"), "refuses this user"),
        ((500, b"{}"), "does not answer"),
        ((503, b"<html>"), "does not answer"),
        ((200, b"<html>"), "no tracking server"),
    ],
)
def test_a_refusal_says_what_to_do(
    registry: SmallRegistry, error: tuple[int, bytes], advice: str, failing: str
) -> None:
    registry.error, registry.failing = error, failing
    message = refused()
    assert message.startswith(f"{URI} cannot be had: ")
    assert advice in message


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"model_version": {}}'])
def test_an_answer_that_names_no_version_is_no_model(registry: SmallRegistry, body: bytes) -> None:
    registry.error = 200, body
    refused()


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("", "MLFLOW_TRACKING_URI is no address"),
        ("mlruns", "MLFLOW_TRACKING_URI is no address"),
        ("http://[::1", "MLFLOW_TRACKING_URI is no address"),
        ("ftp://host", "correct MLFLOW_TRACKING_URI"),
        (f"http://app:{PASSWORD}@127.0.0.1:{{closed}}", "check the network"),
    ],
)
def test_a_wrong_address_is_named_by_its_variable(
    registry: SmallRegistry, monkeypatch: pytest.MonkeyPatch, address: str, advice: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address.format(closed=closed))
    start_anew()
    assert advice in refused()


def test_the_client_is_told_to_give_up_soon_unless_somebody_said_otherwise(
    registry: SmallRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in registry_client.SETTINGS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "9")
    got()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "9"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_full_disk_is_a_sentence(
    registry: SmallRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    assert "No space left on device" in refused()


@pytest.fixture
def file(small_model: Pipeline, tmp_path: Path) -> bytes:
    return saved(small_model, tmp_path)


def saved(model: Pipeline, folder: Path) -> bytes:
    save(model, folder / "saved.skops")
    return (folder / "saved.skops").read_bytes()


@pytest.fixture
def live(registry: SmallRegistry, small_model: Pipeline, file: bytes) -> Live:
    """A champion in service."""
    registry.register("1", file, model_digest=model_digest(small_model))
    live = Live(Settings(URI))
    live.refresh()
    assert live.card()["problem"] is None
    assert live.card()["version"] == "1"
    return live


def test_a_promotion_goes_into_service_at_the_next_look(
    live: Live, registry: SmallRegistry, reviews: pd.DataFrame, tmp_path: Path
) -> None:
    newer = train(reviews, Params(C=2.0, bits=10))
    digest = model_digest(newer)
    registry.register("2", saved(newer, tmp_path), model_digest=digest)

    live.refresh()

    card = live.card()
    assert (card["version"], card["digest"], card["problem"]) == ("2", digest, None)


def test_a_version_whose_digest_is_not_the_models_never_serves(
    live: Live, registry: SmallRegistry, file: bytes
) -> None:
    registry.register("2", file, model_digest="d" * 64)

    live.refresh()

    card = live.card()
    assert card["version"] == "1"
    assert "is not the model that was registered" in card["problem"]
    assert is_one_sentence(card["problem"])


@pytest.mark.parametrize("broken", ["a pickle", "alias gone", "server gone"])
def test_whatever_happens_to_the_registry_the_model_in_service_answers_on(
    live: Live, registry: SmallRegistry, broken: str
) -> None:
    # given
    before = live.serving
    if broken == "a pickle":
        registry.register("2", b"\x80\x04K\x01.")
    elif broken == "alias gone":
        registry.aliases.clear()
    else:
        registry.error = (503, b"")

    # when
    live.refresh()

    # then
    card = live.card()
    assert live.serving is before
    assert (card["status"], card["fallback"]) == ("serving", False)
    assert is_one_sentence(card["problem"])
    assert card["problem_since"] == card["checked"]

    # when all is well again
    registry.error = None
    registry.aliases["champion"] = "1"
    live.refresh()

    # then
    assert live.serving is not None
    assert (live.card()["problem"], live.card()["problem_since"]) == (None, None)


def test_a_fallback_stands_in_at_the_start_and_leaves_when_the_champion_is_there(
    registry: SmallRegistry, small_model: Pipeline, file: bytes, tmp_path: Path
) -> None:
    # given
    registry.register("1", file)
    registry.error = (503, b"")
    fallback = str(tmp_path / "saved.skops")
    live = Live(Settings(URI, fallback_uri=fallback))

    # when
    live.refresh()

    # then
    card = live.card()
    assert (card["status"], card["uri"], card["fallback"]) == ("serving", fallback, True)
    assert card["digest"] == model_digest(small_model)
    assert card["version"] is None
    assert card["problem"].startswith(f"{URI} cannot be had: ")

    # when
    registry.error = None
    live.refresh()

    # then
    card = live.card()
    assert (card["uri"], card["fallback"], card["version"]) == (URI, False, "1")
    assert card["problem"] is None
