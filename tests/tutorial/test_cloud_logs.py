"""`tutorial logs --follow`: every line once, through a rotation, whole."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from tutorial import cli
from tutorial import cloud as local_cloud
from tutorial.cloud import services
from tutorial.cloud.tail import Tail
from tutorial.home import Home

Command = Callable[..., Any]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "s3.log"


@pytest.fixture
def tail(log: Path) -> Iterator[Tail]:
    with Tail(log) as tail:
        yield tail


def add(log: Path, text: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(text)


def rotate(log: Path) -> None:
    """Put a log aside and begin a new one, as supervisord does."""
    log.replace(log.with_name(f"{log.name}.1"))
    log.touch()


def test_a_line_is_told_once_and_whole(log: Path, tail: Tail) -> None:
    assert tail.lines() == []  # it is not there yet
    add(log, "one\ntwo\nthr")
    assert tail.lines() == ["one", "two"]
    assert tail.lines() == []
    add(log, "ee\n")
    assert tail.lines() == ["three"]
    # The last words of one that crashed have no end
    add(log, "Kill")
    assert tail.lines(unfinished=True) == ["Kill"]
    assert tail.lines(unfinished=True) == []


def test_a_rotation_loses_nothing(log: Path, tail: Tail) -> None:
    add(log, "one\n")
    assert tail.lines() == ["one"]
    add(log, "before\n")
    rotate(log)
    add(log, "after\n")
    assert tail.lines() == ["before", "after"]
    # Between the two there is no log
    log.unlink()
    assert tail.lines() == []
    add(log, "anew\n")
    assert tail.lines() == ["anew"]
    # One that is emptied is read from its begin
    log.write_text("!\n")
    assert tail.lines() == ["!"]


def test_what_is_no_text_is_no_end(log: Path, tail: Tail) -> None:
    log.write_bytes(b"\xff\xfe\n")
    assert len(tail.lines()) == 1


@pytest.fixture
def logs(home: Home) -> Path:
    """The folder of the logs of a cloud that was up once."""
    services.new_setting(home, lambda port: False)
    folder = local_cloud.log_of(home, "s3").parent
    folder.mkdir(parents=True)
    return folder


def test_follow_goes_on_as_a_service_says_more(logs: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    add(logs / "s3.log", "older\nold\n")
    command = [sys.executable, "-m", "tutorial", "logs", "s3", "--lines", "1", "--follow"]
    with said.open("w") as output, subprocess.Popen(command, stdout=output) as process:
        try:
            until(lambda: said.read_text() == "s3: old\n", "the last line is not told", 60)
            add(logs / "s3.log", "[red]new\n")
            until(lambda: said.read_text().endswith("\ns3: [red]new\n"), "nothing new is told")
            rotate(logs / "s3.log")
            add(logs / "s3.log", "newest\n")
            until(lambda: said.read_text().endswith("\ns3: newest\n"), "a rotation ends it")
            assert said.read_text().count("\n") == 3
            assert process.poll() is None
        finally:
            process.kill()


def test_ctrl_c_ends_it_and_says_nothing(
    logs: Path, tutorial: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(seconds: float) -> None:
        raise KeyboardInterrupt

    add(logs / "s3.log", "said\nlast words")
    monkeypatch.setattr(cli.time, "sleep", pressed)
    said = tutorial("logs", "--follow")
    assert (said.status, said.err) == (130, "")
    told = said.out.splitlines()
    assert told[0] == "s3: said"
    assert "heroku: it said nothing" in told
    # Without it, last words are told too, and it ends by itself
    said = tutorial("logs", "s3")
    assert (said.status, said.out) == (0, "s3: said\ns3: last words\n")
