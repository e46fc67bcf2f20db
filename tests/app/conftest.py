"""What the tests share: trained models, a few reviews, and no setting of the person who runs them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import settings
from sklearn.pipeline import Pipeline

from app.data import read_reviews
from app.model import Params, train
from app.model_file import save

PROJECT = Path(__file__).resolve().parents[2]
PRAISE = ("great", "warm", "funny", "lovely", "moving", "charming")
BLAME = ("dull", "boring", "painful", "wooden", "awful", "tedious")

# Milestone 5 builds what these are tests of.
collect_ignore_glob = [] if (PROJECT / "app/sources/registry.py").is_file() else ["test_registry*"]

# A machine that is busy is no failure.
settings.register_profile("app", settings(), deadline=None)
settings.load_profile("app")


@pytest.fixture(scope="session", autouse=True)
def nobodys_settings() -> Iterator[None]:
    """Take away what a developer or a platform may have set for the app."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("MODEL_", "CORPORA_", "STREAMLIT_", "MLFLOW_")):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def project() -> Path:
    """The folder that holds `app`, `data` and `tests`."""
    return PROJECT


@pytest.fixture(scope="session")
def train_reviews() -> pd.DataFrame:
    """The corpus's training set: do not write into it."""
    return read_reviews(PROJECT / "data" / "train.csv")


@pytest.fixture(scope="session")
def unseen_reviews() -> pd.DataFrame:
    """The corpus's test set: do not write into it."""
    return read_reviews(PROJECT / "data" / "test.csv")


@pytest.fixture(scope="session")
def model(train_reviews: pd.DataFrame) -> Pipeline:
    """The model that the corpus gives: to change it, copy it."""
    return train(train_reviews)


@pytest.fixture(scope="session")
def model_file(model: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's file: do not write there."""
    path = tmp_path_factory.mktemp("model") / "sentiment.skops"
    save(model, path)
    return path


@pytest.fixture
def reviews() -> pd.DataFrame:
    """24 plain reviews of six films, half of them positive: enough to train on."""
    return small_reviews()


@pytest.fixture(scope="session")
def small_model() -> Pipeline:
    """A model of a few words, quick to save and to load: to change it, copy it."""
    return train(small_reviews(), Params(bits=10))


def small_reviews() -> pd.DataFrame:
    rows = [
        (
            text.format(*(words[(film + step) % 6] for step in range(3))),
            label,
            f"F{film}",
        )
        for film in range(6)
        for words, label in ((PRAISE, "positive"), (BLAME, "negative"))
        for text in ("A {} and {} film with a {} cast.", "It is {}, {} and {}!")
    ]
    return pd.DataFrame(rows, columns=["review", "sentiment", "film"])
