"""Build, train and ask the model.

A model is a scikit-learn `Pipeline` of stock classes: words, their beginnings and runs of words are
counted, weighted by how much each tells, and added up by a logistic regression. It takes a DataFrame
with a column `review`; its classes are "negative" and "positive".
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from app.data import DataError, in_canonical_order

# Of every saved weight. Processors differ from the 13th decimal on: so rounded, they agree.
DECIMALS = 6
FOLDS = 5
SMALLEST_TRAINING_SET = 20
MOST_SENTENCES = 20_000  # to calibrate on: more change nothing
EXAMPLE = "A warm, funny film with a great cast, and not a dull minute in it."

# "don't" is don + t, whichever apostrophe it is written with.
WORD = r"\w+"
WORD_OR_SIGN = r"\w+|[^\w\s]"
NEGATION = "(?:not|no|never|nothing|nobody|neither|nor|without|hardly|cannot|t)"
# What may stand between a negation and the word that it turns round: "not a very good film".
BETWEEN = (
    "(?:a|an|the|very|so|any|be|been|have|for|to|that|too|really|all|much|quite|single|one|"
    "particularly|especially|even|as|of|in|it|is|was)"
)
# A word with the negation before it is a word of its own, as in Pang, Lee and Vaithyanathan (2002).
WORD_WITH_NEGATION = rf"\b{NEGATION} (?:{BETWEEN} )*\w+|\w+"
# The beginning of a word that nothing negates: "bored", "boring" and "boringly" tell the same. Of
# one that is negated only that it is.
BEGINNING = rf"\b{NEGATION}\s+(?:{BETWEEN}\s+)*\w+|\b(\w{{1,5}})"
# A word of the last sentence: there the verdict often stands. Whoever looks further ahead than 200
# characters needs minutes for a long text without an end.
ENDING = r"\b\w++(?=[^.!?]{0,200}+[.!?]*+\s*\Z)"
# Features that tell nothing and stand beside the others before all get unit length together: the
# larger they are, the more a review must say before the model makes up its mind. 3 is where the log
# loss of unseen films' reviews and sentences stops falling. A text of one word is no review.
CONSTANTS = {
    "evidence": (r"\A", 3.0),
    "one word": (r"\A\s*\S+\s*\Z", 100.0),
}
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")

KINDS = {float: "a number", int: "a whole number"}
# Each parameter's type, and the smallest and largest value that makes sense.
RANGES: dict[str, tuple[type[int] | type[float], float, float]] = {
    "C": (float, 1e-4, 1e4),
    "smoothing": (float, 1e-3, 1e3),
    "blend": (float, 0.0, 1.0),
    "ngrams": (int, 1, 4),
    "punctuation": (int, 0, 1),
    "beginnings": (int, 0, 1),
    "endings": (int, 0, 1),
    "min_df": (int, 1, 1000),
    "bits": (int, 8, 23),
}


class ModelError(ValueError):
    """A model that cannot be used. The message says what is wrong with it and what to do."""


@dataclass(frozen=True)
class Params:
    """What a training can change. The defaults are the model `small`.

    `C` is the inverse strength of regularisation; `smoothing` what is added to every count before
    ratios are taken; `blend` how much of a weight is learned, 0 (naive Bayes) to 1 (support vector
    machine); `ngrams` the longest run of words that is a feature; `punctuation` whether runs hold
    signs (1) or words alone (0); `beginnings` whether a word's first letters are a feature too (1), which
    helps where reviews are few; `endings` whether a word of the last sentence is one more (1), which
    helps where they are long; `min_df` the number of reviews that a feature occurs in at least;
    `bits` the size of the table of runs, which has 2 ** bits columns.
    """

    C: float = 1.0
    smoothing: float = 1.0
    blend: float = 0.25
    ngrams: int = 2
    punctuation: int = 0
    beginnings: int = 1
    endings: int = 0
    min_df: int = 1
    bits: int = 20

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
        """Read `name=value` texts, such as `C=2`; raises `ModelError`.

        `model=small` or `model=full` names the model whose values the others change.
        """
        values: dict[str, Any] = {}
        start = cls()
        for assignment in assignments:
            name, _, text = assignment.partition("=")
            if name == "model":
                if text not in MODELS:
                    raise ModelError(f"model is {text!r}: choose from {', '.join(MODELS)}.")
                start = MODELS[text]
                continue
            if name not in RANGES:
                known = ", ".join(["model", *RANGES])
                raise ModelError(f"{name!r} is not a parameter: choose from {known}, as in C=2.")
            try:
                values[name] = RANGES[name][0](text)
            except ValueError:
                kind = KINDS[RANGES[name][0]]
                raise ModelError(f"{name} is {text!r}: it must be {kind}.") from None
        return replace(start, **values)


# `small` for a few thousand reviews: trained in seconds, small enough to be sent around. `full` for
# 25,000 and up. Both were chosen by cross-validation: the chapter "Know your data" shows the table.
MODELS = {
    "small": Params(),
    "full": Params(
        smoothing=2.5,
        blend=0.85,
        ngrams=4,
        punctuation=1,
        beginnings=0,
        endings=1,
        min_df=2,
        bits=22,
    ),
}


def build(params: Params = Params()) -> Pipeline:
    """Return the untrained pipeline."""

    def counts(pattern: str, lengths: tuple[int, int], columns: int) -> HashingVectorizer:
        return HashingVectorizer(
            token_pattern=pattern,
            ngram_range=lengths,
            n_features=columns,
            alternate_sign=False,
            binary=True,
            norm=None,
        )

    runs = WORD_OR_SIGN if params.punctuation else WORD
    few = 2 ** max(params.bits - 2, 8)
    parts = [("words", counts(WORD_WITH_NEGATION, (1, 1), few))]
    if params.beginnings:
        parts += [("beginnings", counts(BEGINNING, (1, 1), few))]
    if params.endings:
        parts += [("endings", counts(ENDING, (1, 1), few))]
    if params.ngrams > 1:
        parts += [("runs", counts(runs, (2, params.ngrams), 2**params.bits))]
    parts += [(name, counts(pattern, (1, 1), 1)) for name, (pattern, _) in CONSTANTS.items()]
    features = ColumnTransformer(
        [(name, part, "review") for name, part in parts], sparse_threshold=1.0
    )
    weights = TfidfTransformer()
    classifier = LogisticRegression(C=params.C)
    return Pipeline([("features", features), ("weights", weights), ("classifier", classifier)])


def train(reviews: pd.DataFrame, params: Params = Params()) -> Pipeline:
    """Train on labelled reviews, and calibrate: of reviews given 80%, about 80% are positive.

    Calibration is Platt's (1999): a logistic curve fitted to margins of films that the model had not
    seen, of their reviews and of each sentence by itself. A sentence does not always say what its
    review says: that teaches how little a short or strange text can tell. Folded into the weights,
    the curve leaves a plain logistic regression, whose log-odds are a sum over words. Raises
    `DataError`.
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
    model = build(params)
    features = model.named_steps["features"]
    counts = csr_matrix(features.fit_transform(reviews))
    review_of, sentences = _sentences(reviews)
    cut = csr_matrix(features.transform(sentences)) if len(sentences) else counts[:0]
    positive = labels == "positive"
    margins, margins_of_cut = np.zeros((len(reviews), 2)), np.zeros((len(sentences), 2))
    for seen, unseen in StratifiedGroupKFold(folds).split(reviews, labels, films):
        if len(set(labels[seen])) < 2 or not _learn(model, counts[seen], positive[seen], params):
            raise DataError(
                "These reviews cannot be learned from: no word occurs in enough of them, or all "
                "reviews of a sentiment are of one film, so give more and different ones."
            )
        theirs = np.isin(review_of, unseen)
        margins[unseen] = _margins(model, counts[unseen])
        margins_of_cut[theirs] = _margins(model, cut[theirs])
    # Each review twice: what it says as a whole counts as much as two of its sentences.
    slope, constant, intercept = fit_platt_curve(
        np.concatenate([margins, margins, margins_of_cut]),
        np.concatenate([positive, positive, positive[review_of]]),
    )
    _learn(model, counts, positive, params)
    classifier = model.named_steps["classifier"]
    # A model that is worse than chance on unseen films knows nothing.
    classifier.coef_ *= max(round(slope, DECIMALS), 0.0)
    classifier.coef_[0, -len(CONSTANTS) :] = constant
    classifier.coef_ = np.round(classifier.coef_, DECIMALS)
    classifier.intercept_ = np.round([intercept], DECIMALS)
    model.example_ = {
        "review": EXAMPLE,
        "positive": round(float(predict(model, [EXAMPLE])[0]), DECIMALS),
    }
    return model


def _sentences(reviews: pd.DataFrame) -> tuple[NDArray[np.int_], pd.DataFrame]:
    """Cut reviews of two sentences or more; return the row that each sentence is of, and the sentences."""
    cut = [
        (row, sentence)
        for row, review in enumerate(reviews["review"])
        if len(sentences := [s for s in SENTENCE_END.split(review) if re.search(WORD, s)]) > 1
        for sentence in sentences
    ]
    cut = cut[:: len(cut) // MOST_SENTENCES + 1]
    return np.array([row for row, _ in cut], dtype=int), pd.DataFrame(
        {"review": [sentence for _, sentence in cut]}, dtype=str
    )


def _learn(
    model: Pipeline, counts: csr_matrix, positive: NDArray[np.bool_], params: Params
) -> bool:
    """Set the weights of features and of the classifier, not calibrated yet; tell whether there are any.

    A feature weighs the size of its log-count ratio: the logarithm of how much more often it occurs
    in one sentiment than in the other. What the classifier makes of it is a blend of the ratio's sign
    and of what a support vector machine learned (Wang and Manning, ACL 2012: NBSVM).
    """
    occurs = counts.astype(bool)
    up, down = (
        np.asarray(occurs[rows].sum(axis=0), dtype=float).ravel() for rows in (positive, ~positive)
    )
    used = up + down >= params.min_df
    used[-len(CONSTANTS) :] = False
    if not (used & (up + down > 1)).any():
        return False
    ratios = np.zeros(len(used))
    up, down = (count[used] + params.smoothing for count in (up, down))
    # Rounded before anything is learned from them: so small differences cannot grow.
    ratios[used] = np.round(np.log(up / up.sum()) - np.log(down / down.sum()), DECIMALS)
    weights, classifier = model.named_steps["weights"], model.named_steps["classifier"]
    weights.fit(counts[:1])
    weights.idf_ = np.abs(ratios)
    weights.idf_[-len(CONSTANTS) :] = [size for _, size in CONSTANTS.values()]
    # Balanced: how frequent the sentiments are is for calibration to say, of all texts alike.
    machine = LinearSVC(
        C=params.C, fit_intercept=False, class_weight="balanced", max_iter=5000, random_state=0
    )
    machine.fit(weights.transform(counts), positive)
    learned = np.where(used, machine.coef_.ravel(), 0.0)
    size = np.abs(learned).sum() / max(np.count_nonzero(learned), 1)
    blended = params.blend * learned + (1 - params.blend) * size * np.sign(ratios)
    classifier.coef_ = blended.reshape(1, -1)
    classifier.intercept_ = np.zeros(1)
    classifier.classes_ = np.array(["negative", "positive"])
    classifier.n_features_in_ = len(used)
    return True


def _margins(model: Pipeline, counts: csr_matrix) -> NDArray[np.float64]:
    """Return two columns: what the features say, and how large the constants stand beside them."""
    if not counts.shape[0]:
        return np.zeros((0, 2))
    weights, classifier = model.named_steps["weights"], model.named_steps["classifier"]
    weighted = weights.transform(counts)
    constant = np.asarray(weighted[:, -len(CONSTANTS) :].sum(axis=1)).ravel()
    return np.column_stack([weighted @ classifier.coef_.ravel(), constant])


def fit_platt_curve(
    margins: NDArray[np.float64], positive: NDArray[np.bool_]
) -> tuple[float, float, float]:
    """Fit the curve that turns margins, shape (n, 2) as `_margins` gives them, into chances.

    Returns the weights of both columns and the intercept. As Platt (1999) did it: the targets are not
    0 and 1 but a little inside, by one imagined review of either kind, so that few reviews that are
    told apart perfectly do not make the curve a step.
    """
    up, down = int(positive.sum()), int((~positive).sum())
    target = np.where(positive, (up + 1) / (up + 2), 1 / (down + 2))
    # Made large, what the features say is hardly regularised; the constants' weight is, a little: it
    # must not explode where all texts are of one length.
    scale = np.array([100.0, 1.0])
    # A target between 0 and 1 is one row of either label, weighted by it.
    rows = np.concatenate([margins, margins]) * scale
    labels = np.repeat([1, 0], len(margins))
    curve = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    curve.fit(rows, labels, sample_weight=np.concatenate([target, 1 - target]))
    slope, constant = curve.coef_[0] * scale
    return float(slope), float(constant), float(curve.intercept_[0])


def predict(model: Pipeline, reviews: Sequence[str]) -> NDArray[np.float64]:
    """Return the probability that each review is positive, shape (len(reviews),)."""
    if not len(reviews):
        return np.zeros(0)
    positive = list(model.classes_).index("positive")
    probabilities: NDArray[np.float64] = model.predict_proba(
        pd.DataFrame({"review": list(reviews)})
    )[:, positive]
    return probabilities
