"""A repository to deploy, and a platform to deploy it to."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy_repository import KEY, PROJECT, Repository, make_repository
from fake_platform import FakePlatform, fake_platform

# What is sent to a platform is held to the contract that the stand-in's tests have.
sys.path.append(str(PROJECT / "tests" / "heroku"))


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a person without settings, and an environment without theirs."""
    for name in list(os.environ):
        if name.startswith(("GIT_", "HEROKU_", "MODEL_")):
            monkeypatch.delenv(name)
    person = tmp_path / "person"
    person.mkdir()
    monkeypatch.setenv("HOME", str(person))
    return person


@pytest.fixture
def repository(tmp_path: Path, nobody: Path) -> Iterator[Repository]:
    """A repository to deploy; scripts that a test started and left are ended."""
    made = make_repository(tmp_path / "repository")
    made.settings = {"HEROKU_APP_NAME": "review-app", "HEROKU_API_KEY": KEY}
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def fake(repository: Repository) -> Iterator[FakePlatform]:
    """A platform that says what the test wants; the repository is set to deploy there."""
    with fake_platform() as platform:
        repository.settings["HEROKU_API_URL"] = platform.url
        yield platform
