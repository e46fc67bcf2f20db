"""What brings a local cloud up takes it down, however it is told to end."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud_processes import processes
from small_notebook import text, write_notebook
from waiting import until

from tutorial import book
from tutorial import cloud as local_cloud
from tutorial.home import PROJECT, Home
from tutorial.teardown import cloud_taken_down

UP = """
from tutorial import cloud
from tutorial.home import Home
cloud.up(Home.current())
"""
# `tutorial run --fresh`, and somebody who ends it between two notebooks.
FRESH = """
import pathlib, sys, time
from rich.console import Console
from tutorial import milestones
from tutorial.run import fresh_home, run
milestones.PROJECT = pathlib.Path(sys.argv[1])
with fresh_home() as home:
    run([0], home, Console(quiet=True))
    print(home.root, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other(home: Home) -> Iterator[Home]:
    """The test's own home, whose local cloud is taken down in the end."""
    yield home
    local_cloud.down(home)


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """A folder for temporary files that has another name, as those of macOS have."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "name").symlink_to("folder")
    return tmp_path / "name"


def test_a_fresh_run_that_is_told_to_end_takes_its_cloud_down(
    tmp_path: Path, temporary: Path
) -> None:
    # Given a notebook that brings up the cloud
    project = tmp_path / "project"
    write_notebook(project / "notebooks" / "00_a.ipynb", text("# Milestone 0: A"), UP)
    process = subprocess.Popen(
        [sys.executable, "-c", FRESH, str(project)],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    root = Path(process.stdout.readline().strip())
    home = Home(root, root / "workspace")
    try:
        assert {"supervisord", "s3", "heroku"} <= set(processes(home))
        # When the command is told to end after it
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
        # Then nothing is left
        assert processes(home) == {}
    finally:
        process.kill()
        process.communicate()
        local_cloud.down(home)


def test_a_fresh_run_that_is_told_to_end_in_a_cell_takes_its_cloud_down(
    tmp_path: Path, temporary: Path
) -> None:
    project = tmp_path / "project"
    cells = (text("# Milestone 0: A"), UP, "import time; time.sleep(600)")
    write_notebook(project / "notebooks" / "00_a.ipynb", *cells)
    process = subprocess.Popen(
        [sys.executable, "-c", FRESH.replace("print", "sys.exit"), str(project)],
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.DEVNULL,
    )
    until(lambda: any(temporary.glob("*/cloud/credentials")), "the cloud is not up", 60)
    (root,) = temporary.resolve().glob("tutorial-*/cloud")
    home = Home(root.parent, root.parent / "workspace")
    try:
        process.terminate()
        assert process.wait(60) != 0
        assert processes(home) == {}
    finally:
        process.kill()
        process.wait()
        local_cloud.down(home)


def test_start_that_is_told_to_end_while_the_cloud_comes_up_leaves_nothing(other: Home) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tutorial", "start"], stdout=subprocess.DEVNULL
    )
    try:
        until(lambda: "s3" in processes(other), "it does not begin", 60)
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
        assert processes(other) == {}
    finally:
        process.kill()
        process.wait()


def test_a_book_takes_down_its_notebooks_cloud_and_what_a_killed_build_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "book"
    source.mkdir()
    shutil.copy(PROJECT / "_config.yml", source)
    root = source / "_build" / "home"
    home = Home(root, root / "workspace")
    executed = []

    def notebooks(command: list[str], env: dict[str, str], **_: Any) -> None:
        # What a build that was killed left is gone before its state is removed
        assert processes(home) == {}
        assert not root.exists()
        executed.append(local_cloud.up(Home.current(env), say=lambda line: None))
        raise KeyboardInterrupt

    monkeypatch.setattr("tutorial.book.subprocess.run", notebooks)
    try:
        local_cloud.up(home, say=lambda line: None)
        with pytest.raises(KeyboardInterrupt):
            book.build(cold=True, source=source)
        assert executed
        assert processes(home) == {}
    finally:
        local_cloud.down(home)


@pytest.fixture
def said_twice(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have somebody press Ctrl+C again, and kill, while the cloud goes down; return what was done."""
    done = []

    def down(home: Home) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)
        done.append("down")

    monkeypatch.setattr(local_cloud, "down", down)
    return done


def handlers() -> list[object]:
    return [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (lambda: None, None),
        (lambda: 1 // 0, ZeroDivisionError),
        (lambda: signal.raise_signal(signal.SIGINT), KeyboardInterrupt),
        (lambda: signal.raise_signal(signal.SIGTERM), SystemExit),
        (lambda: signal.raise_signal(signal.SIGHUP), SystemExit),
    ],
    ids=["well", "error", "SIGINT", "SIGTERM", "SIGHUP"],
)
def test_whoever_is_impatient_leaves_nothing_half_down(
    home: Home,
    said_twice: list[str],
    end: Callable[[], object],
    error: type[BaseException] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    before = handlers()
    seen = None
    try:
        with cloud_taken_down(home):
            end()
    except BaseException as raised:
        seen = type(raised)
    assert seen is error
    assert said_twice == ["down"]
    assert handlers() == before


def test_a_program_that_outlives_its_terminal_keeps_its_cloud(
    home: Home, said_twice: list[str]
) -> None:
    # As `nohup` starts it
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with cloud_taken_down(home):
            signal.raise_signal(signal.SIGHUP)
            assert said_twice == []
    finally:
        signal.signal(signal.SIGHUP, former)
    assert said_twice == ["down"]
