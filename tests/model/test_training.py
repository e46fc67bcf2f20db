"""Training on the whole corpus, often over: every machine gets the same model, and luck teaches nothing.

Too slow for each push of the app: what holds here changes with `app/model.py` and the packages only.
"""

import json
import os
import platform
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from app.data import read_reviews
from app.model import predict, train
from app.model_file import model_digest
from tutorial.home import PROJECT

RAVE = "A wonderful, moving film with a great cast; I loved every minute."
SLATING = "A boring mess with terrible acting, and the worst film of the year."


@pytest.fixture(scope="module")
def train_reviews() -> pd.DataFrame:
    """The corpus's training set: do not write into it."""
    return read_reviews(PROJECT / "data" / "train.csv")


@pytest.fixture(scope="module")
def unseen_reviews() -> pd.DataFrame:
    """The corpus's test set: do not write into it."""
    return read_reviews(PROJECT / "data" / "test.csv")


def test_where_nine_in_ten_are_positive_the_model_expects_so(
    train_reviews: pd.DataFrame, unseen_reviews: pd.DataFrame
) -> None:
    model = train(nine_in_ten(train_reviews))

    chances = predict(model, nine_in_ten(unseen_reviews)["review"].tolist())
    rave, slating = predict(model, [RAVE, SLATING])
    assert chances.mean() == pytest.approx(0.9, abs=0.05)
    assert slating < 0.75 < chances.mean() < rave


def nine_in_ten(reviews: pd.DataFrame) -> pd.DataFrame:
    """All the positive reviews, and of the negative ones a ninth as many."""
    positive = reviews[reviews["sentiment"] == "positive"]
    negative = reviews[reviews["sentiment"] == "negative"]
    return pd.concat([positive, negative.head(len(positive) // 9)])


def test_labels_at_random_teach_no_certainty(
    train_reviews: pd.DataFrame, unseen_reviews: pd.DataFrame
) -> None:
    shuffled = train_reviews["sentiment"].sample(frac=1, random_state=0).to_numpy()

    model = train(train_reviews.assign(sentiment=shuffled))

    chances = predict(model, unseen_reviews["review"].tolist())
    assert np.abs(chances - 0.5).max() < 0.25


@pytest.mark.parametrize("film", ["known", "unknown"])
def test_the_order_of_rows_does_not_change_the_model(
    train_reviews: pd.DataFrame, film: str
) -> None:
    reviews = train_reviews.head(200)
    if film == "unknown":
        reviews = reviews.assign(film="")
    shuffled = reviews.sample(frac=1, random_state=0)
    assert model_digest(train(shuffled)) == model_digest(train(reviews))


TRAINING = """
import json
from threadpoolctl import threadpool_info
from app.data import read_reviews
from app.model import train
from app.model_file import model_digest
digest = model_digest(train(read_reviews("data/train.csv")))
kernels = [i["architecture"] for i in threadpool_info() if i["internal_api"] == "openblas"]
print(json.dumps({"digest": digest, "kernels": kernels}))
"""


def test_processors_agree_on_the_model(train_reviews: pd.DataFrame) -> None:
    """The digest names the model: whoever trains it again, on another machine, must get the same."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", TRAINING],
            cwd=PROJECT,
            env={**os.environ, "OPENBLAS_CORETYPE": kernel},
            stdout=subprocess.PIPE,
        )
        for kernel in ("Haswell", "Nehalem")
    ]
    haswell, nehalem = (json.loads(process.communicate()[0]) for process in started)

    if platform.machine() == "x86_64":  # other processors have no such kernels
        assert set(haswell["kernels"]) == {"Haswell"}, "BLAS took another kernel"
        assert set(nehalem["kernels"]) == {"Nehalem"}, "BLAS took another kernel"
    assert haswell["digest"] == nehalem["digest"] == model_digest(train(train_reviews))
