"""Build, train and ask the model.

A model is a scikit-learn `Pipeline` of stock classes: weights of words and word pairs, and a
logistic regression on them. It takes a DataFrame with a column `review`; its classes are "negative"
and "positive".
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from app.data import DataError, in_canonical_order

# Of every saved weight. BLAS kernels differ from the 13th decimal on: so rounded, processors agree.
DECIMALS = 6
FOLDS = 5
SMALLEST_TRAINING_SET = 20
# liblinear: its weights agree between processors to many more digits than the default solver's.
# No intercept: unknown words are no evidence, and calibration alone says what to answer then.
LIBLINEAR = {
    "solver": "liblinear",
    "fit_intercept": False,
    "random_state": 0,
    "tol": 1e-6,
    "max_iter": 1000,
}
EXAMPLE = "A warm, funny film with a great cast, and not a dull minute in it."


KINDS = {float: "a number", int: "a whole number"}
# Each parameter's type, and the smallest and largest value that makes sense.
RANGES: dict[str, tuple[type[int] | type[float], float, float]] = {
    "C": (float, 1e-4, 1e4),
    "ngrams": (int, 1, 3),
    "min_df": (int, 1, 1000),
    "max_features": (int, 100, 5_000_000),
}


class ModelError(ValueError):
    """A model that cannot be used. The message says what is wrong with it and what to do."""


@dataclass(frozen=True)
class Params:
    """What a training can change.

    `C` is the inverse strength of regularisation; `ngrams` the longest run of words that is a
    feature; `min_df` the number of reviews that a feature occurs in at least; `max_features` the
    number of features kept, the most frequent first.
    """

    C: float = 4.0
    ngrams: int = 2
    min_df: int = 2
    max_features: int = 50_000

    def __post_init__(self) -> None:
        """Raise `ModelError` for a value of the wrong type or out of range."""
        for name, (kind, low, high) in RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, kind)):
                raise ModelError(f"{name} is {value!r}: it must be {KINDS[kind]}.")
            if not low <= value <= high:
                raise ModelError(f"{name} is {value!r}: choose a value from {low} to {high}.")

    @classmethod
    def parse(cls, assignments: Sequence[str]) -> "Params":
        """Read `name=value` texts, such as `C=2`; raises `ModelError`."""
        values: dict[str, Any] = {}
        for assignment in assignments:
            name, _, text = assignment.partition("=")
            if name not in RANGES:
                known = ", ".join(RANGES)
                raise ModelError(f"{name!r} is not a parameter: choose from {known}, as in C=2.")
            try:
                values[name] = RANGES[name][0](text)
            except ValueError:
                kind = KINDS[RANGES[name][0]]
                raise ModelError(f"{name} is {text!r}: it must be {kind}.") from None
        return cls(**values)


def build(params: Params = Params()) -> Pipeline:
    """Return the untrained pipeline."""
    words = TfidfVectorizer(
        token_pattern=r"\w+",  # "don't" is don + t, whichever apostrophe it is written with
        ngram_range=(1, params.ngrams),
        min_df=params.min_df,
        max_features=params.max_features,
        sublinear_tf=True,
    )
    return Pipeline(
        [
            (
                "features",
                ColumnTransformer([("words", words, "review")], sparse_threshold=1.0),
            ),
            ("classifier", LogisticRegression(C=params.C, **LIBLINEAR)),
        ]
    )


def train(reviews: pd.DataFrame, params: Params = Params()) -> Pipeline:
    """Train on labelled reviews, and calibrate: of reviews given 80%, about 80% are positive.

    Calibration is Platt's (1999): a logistic curve fitted to margins of films that the model had not
    seen. Folded into the weights it leaves a plain logistic regression, whose log-odds are a sum
    over words. Raises `DataError`.
    """
    reviews = in_canonical_order(reviews)
    labels = reviews["sentiment"].to_numpy(dtype=str)
    rarest = min(Counter(labels).values(), default=0) if len(set(labels)) == 2 else 0
    # A review whose film is unknown is a film of its own.
    films = np.where(
        reviews["film"] == "",
        [f"unknown {row}" for row in range(len(reviews))],
        reviews["film"],
    )
    folds = min(FOLDS, rarest, len(set(films)))
    if len(reviews) < SMALLEST_TRAINING_SET or folds < 2:
        raise DataError(
            f"{len(reviews)} reviews of {len(set(films))} films, {rarest} of the rarer sentiment, are "
            f"too few to train on: give {SMALLEST_TRAINING_SET} or more of both sentiments, of 2 films "
            "or more."
        )
    margins = np.empty(len(reviews))
    try:
        for seen, unseen in StratifiedGroupKFold(folds).split(reviews, labels, films):
            judge = _fit(reviews.iloc[seen], labels[seen], params)
            margins[unseen] = judge.decision_function(reviews.iloc[unseen])
        model = _fit(reviews, labels, params)
    except ValueError:
        raise DataError(
            "These reviews cannot be learned from: no word occurs in enough of them, or all reviews of "
            "a sentiment are of one film, so give more and different ones."
        ) from None
    curve = fit_platt_curve(margins, labels == "positive")
    # A model that is worse than chance on unseen films knows nothing.
    slope = max(float(curve.coef_[0, 0]), 0.0)
    classifier, words = model.named_steps["classifier"], vectorizer(model)
    classifier.coef_ = np.round(classifier.coef_ * slope, DECIMALS)
    classifier.intercept_ = np.round(curve.intercept_, DECIMALS)
    # Plain integers: skops writes each NumPy integer as a file of its own, ten times the size and
    # the time to load.
    words.vocabulary_ = {word: int(column) for word, column in words.vocabulary_.items()}
    words.idf_ = np.round(words.idf_, DECIMALS)
    model.example_ = {
        "review": EXAMPLE,
        "positive": round(float(predict(model, [EXAMPLE])[0]), DECIMALS),
    }
    return model


def _fit(reviews: pd.DataFrame, labels: NDArray[np.str_], params: Params) -> Pipeline:
    """Fit the pipeline, each word weighted by how much it tells.

    Where TF-IDF has how rare a word is stands the size of its log-count ratio: the logarithm of how
    much more often it occurs in one sentiment than in the other (Wang and Manning, ACL 2012).
    """
    model = build(params)
    features, classifier = model.named_steps["features"], model.named_steps["classifier"]
    occurs = features.fit_transform(reviews) > 0
    up, down = (
        1 + occurs[labels == sentiment].sum(axis=0) for sentiment in ("positive", "negative")
    )
    ratios = np.log((up / up.sum()) / (down / down.sum()))
    vectorizer(model).idf_ = np.abs(np.asarray(ratios)).ravel()
    classifier.fit(features.transform(reviews), labels)
    return model


def fit_platt_curve(
    margins: NDArray[np.float64], positive: NDArray[np.bool_]
) -> LogisticRegression:
    """Fit the curve that turns margins into chances, both of shape (n,).

    As Platt (1999) did it: the targets are not 0 and 1 but a little inside, by one imagined review
    of either kind, so that few reviews that are told apart perfectly do not make the curve a step.
    """
    up, down = int(positive.sum()), int((~positive).sum())
    target = np.where(positive, (up + 1) / (up + 2), 1 / (down + 2))
    # A target between 0 and 1 is one row of either label, weighted by it.
    rows = np.concatenate([margins, margins]).reshape(-1, 1)
    labels = np.repeat([1, 0], len(margins))
    curve = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    return curve.fit(rows, labels, sample_weight=np.concatenate([target, 1 - target]))


def vectorizer(model: Pipeline) -> TfidfVectorizer:
    """Return the part of the model that turns a review into weighted words."""
    return model.named_steps["features"].named_transformers_["words"]


def predict(model: Pipeline, reviews: Sequence[str]) -> NDArray[np.float64]:
    """Return the probability that each review is positive, shape (len(reviews),)."""
    if not len(reviews):
        return np.zeros(0)
    positive = list(model.classes_).index("positive")
    probabilities: NDArray[np.float64] = model.predict_proba(
        pd.DataFrame({"review": list(reviews)})
    )[:, positive]
    return probabilities
