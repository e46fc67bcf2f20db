"""A model in a bucket: fetched whole or not at all, and a sentence says what is wrong and what to do."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from plain import is_one_sentence
from sklearn.pipeline import Pipeline
from small_s3 import SmallS3, small_s3

from app.live import Live
from app.model import Params, train
from app.model_file import model_digest, save
from app.settings import Settings
from app.sources import Fetched, SourceError, fetch
from app.sources import s3 as source

URI = "s3://a-bucket/models/sentiment.skops"
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"  # noqa: S105


@pytest.fixture(scope="module")
def server() -> Iterator[SmallS3]:
    source.client.cache_clear()
    with small_s3() as server:
        yield server
    source.client.cache_clear()


@pytest.fixture
def s3(server: SmallS3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SmallS3:
    """A bucket with a small object, and an app that has its address and a key."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    fresh = SmallS3(url=server.url, body=b"first", version="v1")
    vars(server).update(vars(fresh))
    return server


@pytest.fixture
def start_anew(s3: SmallS3) -> Iterator[Callable[[], None]]:
    """Read the AWS_* variables again, as the app does when it starts."""
    yield source.client.cache_clear
    source.client.cache_clear()


def got(uri: str = URI, known: str | None = None) -> Fetched:
    fetched = fetch(uri, known)
    assert fetched is not None
    return fetched


def refusal(uri: str = URI) -> str:
    with pytest.raises(SourceError) as refused:
        fetch(uri)
    message = str(refused.value)
    assert is_one_sentence(message)
    assert uri in message or repr(uri) in message
    assert SECRET not in message
    assert "Signature=" not in message
    return message


def test_the_object_becomes_a_file_and_proves_its_version(s3: SmallS3) -> None:
    fetched = got()
    assert fetched.path.read_bytes() == b"first"
    assert fetched.proof == {"version": "v1"}


@pytest.mark.parametrize("version", [None, "null"])
def test_a_bucket_that_keeps_no_versions_proves_none(s3: SmallS3, version: str | None) -> None:
    s3.put(b"first", version)
    assert got().proof == {}


def test_one_request_asks_for_that_object_alone(s3: SmallS3) -> None:
    """So the permission to get it is all that the app needs."""
    got()
    assert s3.asked == ["GET /a-bucket/models/sentiment.skops"]


def test_what_did_not_change_is_not_sent_again(s3: SmallS3) -> None:
    first = got()
    assert fetch(URI, first.version) is None
    assert len(s3.asked) == 2
    assert first.path.read_bytes() == b"first"


def test_what_changed_has_another_version_and_what_is_back_has_the_first(s3: SmallS3) -> None:
    first = got()
    s3.put(b"second", "v2")
    second = got(known=first.version)
    s3.put(b"first", "v3")
    third = got(known=second.version)

    assert second.version != first.version == third.version
    assert third.proof == {"version": "v3"}
    assert third.path.read_bytes() == b"first"


def test_only_one_file_is_kept(s3: SmallS3) -> None:
    for content in (b"first", b"second", b"third"):
        s3.put(content)
        folder = got().path.parent
    assert [path.read_bytes() for path in folder.iterdir()] == [b"third"]


def test_nobody_else_may_read_what_was_fetched(s3: SmallS3) -> None:
    assert got().path.parent.stat().st_mode & 0o077 == 0


def test_a_folder_that_was_tidied_away_is_made_again(s3: SmallS3) -> None:
    path = got().path
    path.unlink()
    path.parent.rmdir()
    assert got().path.read_bytes() == b"first"


BREAK: dict[str, tuple[Callable[[SmallS3], object], str]] = {
    "cut short": (lambda s3: setattr(s3, "length", 1_000), "cut short"),
    "damaged": (lambda s3: setattr(s3, "checksum", "A" * 43 + "="), "checksum"),
    "too large": (lambda s3: setattr(s3, "length", 100_000_001), "100,000,001 bytes"),
    "not S3": (lambda s3: setattr(s3, "etag", False), "AWS_ENDPOINT_URL"),
}


@pytest.mark.parametrize("broken", BREAK)
def test_what_does_not_arrive_as_it_was_stored_is_thrown_away(s3: SmallS3, broken: str) -> None:
    # given
    kept = got().path
    s3.put(b"second")
    breaks, complaint = BREAK[broken]
    breaks(s3)

    # when
    message = refusal()

    # then
    assert complaint in message
    assert [path.read_bytes() for path in kept.parent.iterdir()] == [b"first"]


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (404, "NoSuchBucket", "make it"),
        (404, "NoSuchKey", "upload it"),
        (403, "AccessDenied", "s3:GetObject"),
        (403, "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        (403, "RequestTimeTooSkewed", "clock"),
        (400, "ExpiredToken", "AWS_*"),
        (400, "AuthorizationHeaderMalformed", "AWS_DEFAULT_REGION"),
        (301, "PermanentRedirect", "AWS_DEFAULT_REGION"),
        (503, "SlowDown", "try again"),
        (403, "AllAccessDisabled", "AllAccessDisabled"),
        (404, "HTML", "AWS_ENDPOINT_URL"),
        (403, "HTML", "AWS_ENDPOINT_URL"),
        (502, "HTML", "check the network"),
    ],
)
def test_a_refusal_says_what_to_do(s3: SmallS3, status: int, code: str, advice: str) -> None:
    s3.error = (status, code)
    assert advice in refusal()


def test_without_credentials_the_message_names_the_variables(
    start_anew: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    start_anew()
    assert "AWS_SECRET_ACCESS_KEY" in refusal()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    start_anew()
    assert "AWS_ACCESS_KEY_ID" in refusal()


@pytest.mark.parametrize("address", ["nowhere", "http://127.0.0.1:{closed}", "http://[::1"])
def test_a_wrong_endpoint_is_named_by_its_variable(
    start_anew: Callable[[], None], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", address.format(closed=closed))
    start_anew()
    assert "AWS_ENDPOINT_URL" in refusal()


def test_a_server_that_is_away_is_not_waited_for_long(s3: SmallS3) -> None:
    """A refresh must come to an end: by the client's own settings, in half a minute at worst."""
    config = source.client().meta.config
    assert (config.connect_timeout + config.read_timeout) * config.retries[
        "total_max_attempts"
    ] <= 30


@pytest.mark.parametrize(
    "uri",
    [
        "s3:",
        "s3://",
        "s3:///key",
        "s3://bucket",
        "s3://bucket/",
        "s3://bucket/models/",
        "s3://b/key",
        "s3://My_Bucket/key",
        "s3://-bucket/key",
        "s3://bucket/a\nb",
        "s3://bucket/a\x1bb",
        "s3:bucket/key",
    ],
)
def test_an_address_that_names_no_file_is_refused_before_anything_is_asked(
    s3: SmallS3, uri: str
) -> None:
    assert "s3://BUCKET/KEY" in refusal(uri)
    assert s3.asked == []


def test_a_key_may_hold_what_paths_hold(s3: SmallS3) -> None:
    got("S3://a.b-c/models/größer & more.skops")
    assert s3.asked == ["GET /a.b-c/models/gr%C3%B6%C3%9Fer%20%26%20more.skops"]


def test_a_full_disk_is_a_sentence(s3: SmallS3, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    assert "No space left on device" in refusal()


@pytest.fixture
def live(s3: SmallS3, small_model: Pipeline, tmp_path: Path) -> Live:
    """A model in service that came from the bucket."""
    s3.put(saved(small_model, tmp_path), "v1")
    live = Live(Settings(URI))
    live.refresh()
    assert live.card()["problem"] is None
    return live


def saved(model: Pipeline, folder: Path) -> bytes:
    save(model, folder / "saved.skops")
    return (folder / "saved.skops").read_bytes()


def test_a_new_upload_goes_into_service_and_the_card_tells_which(
    live: Live, s3: SmallS3, reviews: pd.DataFrame, tmp_path: Path
) -> None:
    newer = train(reviews, Params(C=2.0, bits=10))
    s3.put(saved(newer, tmp_path), "v2")

    live.refresh()

    card = live.card()
    assert (card["version"], card["digest"]) == ("v2", model_digest(newer))
    assert (card["uri"], card["problem"]) == (URI, None)


def test_a_bad_upload_leaves_the_model_and_is_loaded_once(
    live: Live, s3: SmallS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    before = live.serving
    s3.put(s3.body[:-100], "v2")

    # when
    live.refresh()

    # then
    assert live.serving is before
    problem = live.card()["problem"]
    assert URI in problem
    assert is_one_sentence(problem)

    # when looked at again
    monkeypatch.setattr("app.model_file.load", lambda _: pytest.fail("loaded again"))
    live.refresh()

    # then
    assert live.card()["problem"] == problem


def test_a_bad_upload_that_is_taken_back_is_forgotten(live: Live, s3: SmallS3) -> None:
    assert live.serving is not None
    good, model = s3.body, live.serving.model
    s3.put(b"rubbish", "v2")
    live.refresh()
    s3.put(good, "v3")

    live.refresh()

    card = live.card()
    assert (card["version"], card["problem"]) == ("v3", None)
    assert live.serving.model is model


def test_a_version_that_was_refused_gets_another_chance(
    live: Live, s3: SmallS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was wrong may have been this machine, and have passed."""
    monkeypatch.setattr("app.live.SECONDS_OF_REFUSAL", 0.0)
    good = s3.body
    s3.put(b"rubbish", "v2")
    live.refresh()
    monkeypatch.setattr("app.model_file.load", lambda _: live.serving.model)  # type: ignore[union-attr]
    live.refresh()

    assert good != s3.body
    assert (live.card()["version"], live.card()["problem"]) == ("v2", None)


def test_while_s3_is_away_the_model_answers_and_the_card_says_so(live: Live, s3: SmallS3) -> None:
    before = live.serving
    s3.error = (403, "AccessDenied")
    live.refresh()
    assert live.serving is before
    assert "s3:GetObject" in live.card()["problem"]

    s3.error = None
    live.refresh()
    assert live.serving is before
    assert live.card()["problem"] is None
