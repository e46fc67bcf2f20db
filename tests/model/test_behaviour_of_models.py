"""What the models that the corpus gives are able to do, and that the suite sees one that is broken."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from app.behaviour import FLOORS, Case, behave, read_cases
from app.data import read_reviews
from app.model import train
from app.model_file import save
from tutorial.home import PROJECT


@pytest.fixture(scope="module")
def reviews() -> pd.DataFrame:
    """The corpus's training set: do not write into it."""
    return read_reviews(PROJECT / "data" / "train.csv")


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """The suite."""
    return read_cases(PROJECT / "data" / "behaviour.csv")


@pytest.fixture(scope="module")
def model(reviews: pd.DataFrame) -> Pipeline:
    """The model `small`: to change it, copy it."""
    return train(reviews)


def test_small_keeps_every_floor(model: Pipeline, cases: list[Case]) -> None:
    behaviour = behave(model, cases)
    assert behaviour.below == [], behaviour.rates


def test_the_command_says_that_it_does(model: Pipeline, tmp_path: Path) -> None:
    save(model, tmp_path / "sentiment.skops")
    done = subprocess.run(
        [sys.executable, "-m", "app.behaviour", tmp_path / "sentiment.skops", "--json"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["below"] == []


def test_a_plain_bag_of_words_does_not(reviews: pd.DataFrame, cases: list[Case]) -> None:
    """Both are right about most reviews of the corpus; the suite tells them apart."""
    words = ColumnTransformer([("words", TfidfVectorizer(), "review")])
    plain = Pipeline([("words", words), ("classifier", LogisticRegression())])
    plain.fit(reviews[["review"]], reviews["sentiment"])
    assert {"contrast", "intensifiers", "typos"} <= set(behave(plain, cases).below)


def test_a_model_that_says_the_same_of_everything_falls_below_the_floors(
    model: Pipeline, cases: list[Case]
) -> None:
    blank = copy.deepcopy(model)
    blank.named_steps["classifier"].coef_[:] = 0
    for verdict in (-1.0, 1.0):
        blank.named_steps["classifier"].intercept_[:] = verdict
        # Half of negation's verdicts are what it says, and half is all that is asked there.
        assert set(behave(blank, cases).below) >= {n for n, f in FLOORS.items() if f} - {"negation"}


def test_a_model_with_its_labels_swapped_falls_below_every_floor(
    model: Pipeline, cases: list[Case]
) -> None:
    swapped = copy.deepcopy(model)
    swapped.named_steps["classifier"].coef_ *= -1
    swapped.named_steps["classifier"].intercept_ *= -1
    assert behave(swapped, cases).below == [name for name, floor in FLOORS.items() if floor]


def test_a_model_whose_weights_belong_to_other_words_falls_below_the_floors(
    model: Pipeline, cases: list[Case]
) -> None:
    mixed = copy.deepcopy(model)
    np.random.default_rng(0).shuffle(mixed.named_steps["classifier"].coef_[0])
    assert len(behave(mixed, cases).below) >= 5
