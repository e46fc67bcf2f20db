"""AWS for the tests of this folder, and nobody's settings."""

import os
import sys
from collections.abc import Iterator

import pytest

from tutorial.home import PROJECT

# Waiting for a condition is done there.
sys.path.append(str(PROJECT / "tests" / "tutorial"))


@pytest.fixture(autouse=True, scope="module")
def nobody() -> Iterator[None]:
    """Take away what a person may have set."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("AWS_") and name != "AWS_CA_BUNDLE":
                patch.delenv(name)
        yield
