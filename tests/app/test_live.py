"""The model in service: a new one takes over, a bad one never does, and the card tells the truth."""

import json
import pickle
import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from plain import is_one_sentence
from sklearn.pipeline import Pipeline

from app.live import PROVABLE, Live
from app.model import Params, train
from app.model_file import model_digest, save
from app.settings import Settings
from app.sources import Fetched


@pytest.fixture
def path(small_model: Pipeline, tmp_path: Path) -> Path:
    """The file of a model that is in service."""
    path = tmp_path / "sentiment.skops"
    save(small_model, path)
    return path


@pytest.fixture
def live(path: Path) -> Live:
    """A model in service."""
    live = Live(Settings(str(path)))
    live.refresh()
    return live


def test_before_the_first_look_the_card_says_that_the_model_is_being_loaded() -> None:
    live = Live(Settings("models/mine.skops"))
    assert live.card() == {
        **{"status": "unavailable", "uri": "models/mine.skops", "fallback": False},
        **dict.fromkeys(("digest", "since", *PROVABLE, "example", "checked")),
        **{"problem": "The model is being loaded.", "problem_since": None},
    }
    assert live.wait(0.01) is None


def test_the_card_of_a_file_shows_what_can_be_proved_and_null_for_the_rest(
    live: Live, path: Path, small_model: Pipeline
) -> None:
    card = live.card()
    assert card["status"] == "serving"
    assert card["uri"] == str(path)
    assert card["digest"] == model_digest(small_model)
    assert card["example"] == small_model.example_
    assert [card[name] for name in PROVABLE] == [None] * len(PROVABLE)
    assert card["problem"] is None


def test_the_card_is_json_and_its_times_are_in_utc(live: Live) -> None:
    card = json.loads(json.dumps(live.card()))
    for name in ("since", "checked"):
        passed = datetime.now(UTC) - datetime.fromisoformat(card[name])
        assert timedelta(0) <= passed < timedelta(minutes=5)


def test_the_card_shows_what_a_source_proves(
    live: Live, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = {"version": "7", "run": "a1", "accuracy": "0.9", "secret": "s3cr3t"}
    fetched = Fetched(path, "new", proof)
    monkeypatch.setattr("app.live.fetch", lambda uri, known: fetched)

    live.refresh()

    card = live.card()
    assert [card[name] for name in PROVABLE] == ["7", None, "a1", None, None, "0.9"]
    assert "s3cr3t" not in str(card)


def test_a_new_file_goes_into_service(live: Live, path: Path, reviews: pd.DataFrame) -> None:
    newer = train(reviews, Params(C=2.0, bits=10))
    save(newer, path)

    live.refresh()

    assert live.card()["digest"] == model_digest(newer)
    assert live.card()["problem"] is None


def test_a_file_that_did_not_change_is_not_loaded_again(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = live.serving
    monkeypatch.setattr("app.model_file.load", lambda _: pytest.fail("loaded again"))

    live.refresh()

    assert live.serving is before
    assert live.problem is None


BREAK: dict[str, Callable[[Path], object]] = {
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:1000]),
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "a pickle": lambda path: path.write_bytes(pickle.dumps({"model": 1})),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("broken", BREAK)
def test_a_broken_file_leaves_the_model_in_service_and_is_told_of(
    live: Live, path: Path, small_model: Pipeline, broken: str
) -> None:
    # given
    before = live.serving
    BREAK[broken](path)

    # when
    live.refresh()

    # then
    assert live.serving is before
    card = live.card()
    assert card["status"] == "serving"
    assert card["digest"] == model_digest(small_model)
    assert str(path) in card["problem"]
    assert is_one_sentence(card["problem"])


@pytest.mark.parametrize("broken", BREAK)
def test_once_the_file_is_good_again_the_problem_is_gone(
    live: Live, path: Path, reviews: pd.DataFrame, broken: str
) -> None:
    # given
    BREAK[broken](path)
    live.refresh()
    if path.is_dir():
        shutil.rmtree(path)

    # when
    newer = train(reviews, Params(C=2.0, bits=10))
    save(newer, path)
    live.refresh()

    # then
    assert live.card()["problem"] is None
    assert live.card()["digest"] == model_digest(newer)


@pytest.mark.parametrize("broken", BREAK)
def test_without_a_model_a_visitor_is_told_why_and_not_kept_waiting(
    path: Path, broken: str
) -> None:
    BREAK[broken](path)
    live = Live(Settings(str(path)))

    live.refresh()

    started = time.monotonic()
    assert live.wait(60) is None
    assert time.monotonic() - started < 30
    card = live.card()
    assert (card["status"], card["digest"], card["example"]) == ("unavailable", None, None)
    assert str(path) in card["problem"]


def test_a_source_that_fails_in_a_way_nobody_foresaw_ends_nothing(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(uri: str, known: str | None) -> Fetched:
        raise RuntimeError("the network is gone")

    before = live.serving
    monkeypatch.setattr("app.live.fetch", fetch)

    live.refresh()

    assert live.serving is before
    assert "the network is gone" in live.card()["problem"]


def test_a_library_that_cannot_be_imported_is_told_of_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else the background task would end, and every visitor wait for a minute, for ever."""
    live = Live(Settings(str(path)))
    monkeypatch.setitem(sys.modules, "app.model_file", None)

    live.refresh()

    assert "app.model_file" in live.card()["problem"]


def test_a_problem_is_dated_from_when_it_began(
    live: Live, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = path.read_bytes()
    for now in ("10:00", "10:01"):
        monkeypatch.setattr("app.live.now", lambda now=now: now)
        path.write_bytes(b"")
        live.refresh()
    assert (live.card()["problem_since"], live.card()["checked"]) == ("10:00", "10:01")

    path.write_bytes(good)
    live.refresh()

    assert (live.card()["problem_since"], live.card()["problem"]) == (None, None)


@pytest.fixture
def fallback(small_model: Pipeline, tmp_path: Path) -> Path:
    """The file of a model that may stand in."""
    save(small_model, tmp_path / "fallback.skops")
    return tmp_path / "fallback.skops"


@pytest.mark.parametrize("broken", BREAK)
def test_where_there_is_no_model_at_the_start_the_fallback_stands_in(
    path: Path, fallback: Path, broken: str
) -> None:
    BREAK[broken](path)
    live = Live(Settings(str(path), fallback_uri=str(fallback)))

    live.refresh()

    card = live.card()
    assert (card["status"], card["uri"], card["fallback"]) == ("serving", str(fallback), True)
    assert card["since"]
    assert str(path) in card["problem"]
    assert is_one_sentence(card["problem"])


def test_the_fallback_leaves_when_the_model_is_there(
    path: Path, fallback: Path, reviews: pd.DataFrame
) -> None:
    path.unlink()
    live = Live(Settings(str(path), fallback_uri=str(fallback)))
    live.refresh()
    newer = train(reviews, Params(C=2.0, bits=10))
    save(newer, path)

    live.refresh()

    card = live.card()
    assert (card["uri"], card["fallback"], card["problem"]) == (str(path), False, None)
    assert card["digest"] == model_digest(newer)


def test_a_fallback_that_is_a_copy_leaves_too(path: Path, fallback: Path) -> None:
    fallback.write_bytes(path.read_bytes())
    path.rename(path.with_suffix(".away"))
    live = Live(Settings(str(path), fallback_uri=str(fallback)))
    live.refresh()
    path.with_suffix(".away").rename(path)

    live.refresh()

    assert (live.card()["uri"], live.card()["fallback"]) == (str(path), False)


def test_the_fallback_is_not_asked_while_a_model_serves(
    path: Path, fallback: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Live(Settings(str(path), fallback_uri=str(fallback)))
    live.refresh()
    path.unlink()
    fallback.unlink()

    live.refresh()

    card = live.card()
    assert (card["uri"], card["fallback"]) == (str(path), False)
    assert str(fallback) not in card["problem"]


@pytest.mark.parametrize("broken", BREAK)
def test_where_the_fallback_is_no_better_both_are_told_of(
    path: Path, fallback: Path, broken: str
) -> None:
    BREAK[broken](fallback)
    path.unlink()
    live = Live(Settings(str(path), fallback_uri=str(fallback)))

    live.refresh()

    card = live.card()
    assert (card["status"], card["fallback"]) == ("unavailable", False)
    assert str(path) in card["problem"]
    assert str(fallback) in card["problem"]
    # Where the tests run is not the message's length.
    assert is_one_sentence(card["problem"].replace(str(path.parent), ""))


def test_what_a_source_says_of_the_digest_must_be_so(
    live: Live, path: Path, small_model: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, digest = live.serving, model_digest(small_model)
    for said, problem in (("d" * 64, True), (digest, False)):
        fetched = Fetched(path, said, {"digest": said})
        monkeypatch.setattr("app.live.fetch", lambda uri, known, fetched=fetched: fetched)
        live.refresh()
        assert bool(live.problem) is problem
        assert (live.serving is before) is problem
