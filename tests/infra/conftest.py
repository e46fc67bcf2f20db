"""AWS for the tests of this folder, and nobody's settings."""

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tutorial.home import PROJECT

# Waiting for a condition is done there.
sys.path.append(str(PROJECT / "tests" / "tutorial"))

from aws_server import AwsServer, aws_server
from setup_runs import Setup, new_setup, nothing_is_given_away


@pytest.fixture(autouse=True, scope="module")
def nobody() -> Iterator[None]:
    """Take away what a person may have set."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("AWS_") and name != "AWS_CA_BUNDLE":
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def account() -> Iterator[AwsServer]:
    """An AWS for programs of their own. Each test has a stack of its own name there."""
    with aws_server() as server:
        yield server


@pytest.fixture(scope="session")
def names() -> Iterator[str]:
    return (f"server-{number}" for number in itertools.count(1))


@pytest.fixture
def setup(account: AwsServer, names: Iterator[str], tmp_path: Path) -> Iterator[Setup]:
    """The setup of a server that is not there yet. It never gives its password away."""
    setup = new_setup(tmp_path, account, next(names))
    yield setup
    nothing_is_given_away(setup, list(setup.passwords()))


@pytest.fixture(scope="session")
def standing(account: AwsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    """A server that stands, for those who only look. What `up` said is the first that is said."""
    setup = new_setup(tmp_path_factory.mktemp("standing"), account, "mlflow")
    said = setup.up()
    assert (said.status, said.err) == (0, "")
    yield setup
    nothing_is_given_away(setup, list(setup.passwords()))
