"""Where the reader's scripts are, and what a gate reads, made in a folder of the test's own."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tutorial.home import PROJECT

sys.path.append(str(PROJECT / "scripts"))

from made_trainings import Made, write_training


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Made]:
    """Make the folder of a training, by name, with what `write_training` takes."""
    return lambda name, **told: write_training(tmp_path / name, **told)


@pytest.fixture
def champion(made: Callable[..., Made]) -> Made:
    """One that is right on 540 of 600 reviews, and as sure as it may be."""
    return made("champion", right=540)
