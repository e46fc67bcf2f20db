"""Every test has a home of its own, knows nothing of the developer's settings, and leaves no process."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from waiting import until

from executed import Chain
from left_processes import descendants, left_since
from tutorial import cli
from tutorial import cloud as local_cloud
from tutorial.home import Home
from tutorial.serving import RunningApp, start_app

# What a developer, a git hook or a desktop may have set, and what would change what is tested.
FOREIGN = (
    *("AWS_", "CORPORA_", "GIT_", "HEROKU_", "MLFLOW_", "MODEL_", "XDG_"),
    *("DISPLAY", "WAYLAND_DISPLAY"),
)


def home_in(folder: Path) -> Home:
    return Home(folder, folder / "workspace")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty home, and a person without settings: `TUTORIAL_HOME` and `HOME` are the test's own."""
    for name in list(os.environ):
        if name.startswith(FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TUTORIAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    (tmp_path / "person").mkdir()
    return home_in(tmp_path / "home")


@pytest.fixture(autouse=True)
def no_process_is_left(home: Home) -> Iterator[None]:
    """Fail the test that leaves a process behind."""
    before = descendants(psutil.Process())
    yield
    until(lambda: not left_since(before), "a process is left", 20)


@pytest.fixture(scope="session")
def finished_home(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which the chain finished every milestone: do not write there, copy it (`finished`)."""
    made = home_in(tmp_path_factory.mktemp("finished") / "home")
    # Not the cloud: that is the original's, and large.
    ignored = shutil.ignore_patterns("cloud", "cloud.json", "supervisor.json", "tracking.json")
    shutil.copytree(chain.home.root, made.root, symlinks=True, ignore=ignored)
    assert (made.workspace / "models" / "sentiment.skops").is_file()
    return made


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose local cloud is up: make buckets, users and apps of your own there."""
    made = home_in(tmp_path_factory.mktemp("cloud") / "home")
    local_cloud.up(made, say=lambda line: None)
    yield made
    local_cloud.down(made)


@pytest.fixture
def finished(finished_home: Home, home: Home) -> Home:
    """The test's home, with milestone 0 finished and no app running."""
    shutil.copytree(finished_home.root, home.root, symlinks=True)
    home.forget("app")
    return home


@pytest.fixture(scope="session")
def app(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """The finished workspace's app, running: ask it, and leave it and its home as they are."""
    root = tmp_path_factory.mktemp("running") / "home"
    shutil.copytree(finished_home.root, root, symlinks=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUTORIAL_HOME", str(root))
        running = start_app(home_in(root))
    yield running
    running.stop()


@dataclass(frozen=True)
class Said:
    """What a command left: its exit status, and what it wrote on both streams."""

    status: int
    out: str
    err: str


@pytest.fixture
def tutorial(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Run the `tutorial` command with some arguments, in this process."""

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["tutorial", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capfd.readouterr()
        return Said(int(ended.value.code or 0), written.out, written.err)

    return run
