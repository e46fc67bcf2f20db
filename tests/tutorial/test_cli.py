"""The command: one sentence for what is wrong, JSON for machines, nothing lost."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from small_server import Reply, small_server

from app.corpora import CORPORA
from tutorial.home import PROJECT, Home
from tutorial.workspace import Workspace

Tutorial = Callable[..., Any]
REAL = PROJECT.parent / "shared" / "data" / "nltk_data" / "corpora"


def is_one_sentence(said: str) -> bool:
    """Tell whether standard error holds one line that ends a sentence, and no traceback."""
    lines = said.strip().splitlines()
    return len(lines) == 1 and lines[0].endswith(".") and "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "7"], "There is no milestone 7 yet"),
        (["check", "7"], "There is no check 7"),
        (["check"], "No milestone is finished yet"),
    ],
)
def test_what_is_not_there_yet_is_said(
    tutorial: Tutorial, arguments: list[str], words: str
) -> None:
    said = tutorial(*arguments)
    assert said.status == 1
    assert words in said.err
    assert is_one_sentence(said.err)


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--set", "C=abc"],
        ["train", "--set", "depth=3"],
        ["train", "--data", "nowhere.csv"],
        ["evaluate", "nowhere.skops", "workshop"],
        ["evaluate", "ftp://host/model", "workshop"],
        ["evaluate", "models/sentiment.skops", "snipets"],
    ],
    ids=" ".join,
)
def test_bad_input_is_one_sentence_and_loses_nothing(
    finished: Home, tutorial: Tutorial, arguments: list[str]
) -> None:
    model = finished.workspace / "models" / "sentiment.skops"
    before = model.read_bytes()
    said = tutorial(*arguments)
    assert said.status == 1
    *_, last = said.err.strip().splitlines()  # a training shows how far it got
    assert is_one_sentence(last)
    assert "Traceback" not in said.err
    assert model.read_bytes() == before


def test_a_model_is_measured_in_json(finished: Home, tutorial: Tutorial) -> None:
    said = tutorial("evaluate", "models/sentiment.skops", "workshop", "--json")
    result = json.loads(said.out)
    assert set(result) == {
        *("rows", "accuracy", "accuracy_interval", "log_loss"),
        *("calibration_error", "examples_per_second", "slices"),
    }
    low, high = result["accuracy_interval"]
    assert low < result["accuracy"] < high
    assert result["rows"] == 528


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


@pytest.fixture
def real_corpora() -> Iterator[str]:
    """Serve the published archives, where this machine has them."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(REAL))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


if REAL.is_dir():

    def test_a_model_is_trained_on_real_snippets_and_measured_on_real_reviews(
        finished: Home, tutorial: Tutorial, real_corpora: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CORPORA_URL", real_corpora)
        said = tutorial("train", "--data", "snippets", "--json")
        assert said.status == 0, said.err
        assert json.loads(said.out)["rows"] == 10_662
        said = tutorial("evaluate", "models/sentiment.skops", "reviews", "--json")
        result = json.loads(said.out)
        assert result["rows"] == 2000
        assert result["accuracy_interval"][0] > 0.6


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(b"not found", 404), "could not be downloaded"),
        (Reply(b"<html>log in to the wifi</html>"), "cut short or not the right one"),
        (Reply(zipped({"sentence_polarity/rt-polarity.pos": "fine\n"})), "not the right one"),
        (Reply(b"PK" * 5000, length=490_256), "CORPORA_URL"),
    ],
    ids=["not there", "a page of the wifi's", "another archive", "cut short"],
)
def test_a_download_that_fails_is_one_sentence_and_keeps_no_file(
    finished: Home, tutorial: Tutorial, reply: Reply, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/{CORPORA['snippets'].archive}"
    with small_server({path: reply}) as server:
        monkeypatch.setenv("CORPORA_URL", server.url)
        said = tutorial("evaluate", "models/sentiment.skops", "snippets")
    last = said.err.strip().splitlines()[-1]
    assert said.status == 1
    assert words in last or "not the right one" in last
    assert is_one_sentence(last)
    kept = [p.name for p in (finished.root / "corpora").rglob("*") if p.is_file()]
    assert kept == []


def test_a_folder_that_lacks_the_archive_is_one_sentence(
    finished: Home, tutorial: Tutorial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORPORA_URL", str(tmp_path))
    said = tutorial("evaluate", "models/sentiment.skops", "snippets")
    assert said.status == 1
    assert is_one_sentence(said.err)
    assert "sentence_polarity.zip is not in it" in said.err


def test_reset_keeps_what_was_there(finished: Home, tutorial: Tutorial) -> None:
    # Given work that is committed, and work that is not
    workspace = Workspace(finished.workspace)
    (finished.workspace / "mine.txt").write_text("committed")
    workspace.commit(0, "Mine")
    workspace.git("tag", "--force", "milestone-0", "HEAD~1")
    (finished.workspace / "other.txt").write_text("not committed")
    # When the reader goes back to milestone 0
    assert tutorial("reset", "--to", "0").status == 0
    # Then the files are as they were then, and all work is on branches
    assert not (finished.workspace / "mine.txt").exists()
    assert not (finished.workspace / "other.txt").exists()
    kept = workspace.git("branch", "--list", "yours/*", "--format=%(refname)").splitlines()
    contents = " ".join(workspace.git("ls-tree", "--name-only", ref) for ref in kept)
    assert "mine.txt" in contents
    assert "other.txt" in contents
    # And when all is put away, it is told where it is
    said = tutorial("reset")
    assert said.status == 0
    assert not finished.workspace.exists()
    place = Path(said.out.split(" is in ")[1].split(": remove")[0].replace("\n", ""))
    assert (place / "app" / "main.py").is_file()


def test_doctor_finds_this_machine_fit(home: Home, tutorial: Tutorial) -> None:
    said = tutorial("doctor")
    assert said.status == 0
    assert "git" in said.out


def test_debug_shows_the_traceback(home: Home, tutorial: Tutorial, monkeypatch: Any) -> None:
    from tutorial import cli
    from tutorial.errors import TutorialError

    monkeypatch.setattr("sys.argv", ["tutorial", "run", "7", "--debug"])
    with pytest.raises(TutorialError):
        cli.main()
