"""Why a review is judged as it is: what each of its words adds to the model's log-odds."""

import math
import re
from collections import Counter
from dataclasses import dataclass

from sklearn.pipeline import Pipeline

from app.model import vectorizer


@dataclass(frozen=True)
class Word:
    """A run of characters without white space, `review[start:end]`.

    `contribution` is what it adds to the log-odds of "positive"; `known` is False where no feature
    of the model holds it.
    """

    text: str
    start: int
    end: int
    contribution: float
    known: bool


@dataclass(frozen=True)
class Explanation:
    """Why a review is judged so: `intercept` and the contributions add up to `log_odds`."""

    log_odds: float
    intercept: float
    words: tuple[Word, ...]

    @property
    def positive(self) -> float:
        """The calibrated probability that the review is positive."""
        return 1 / (1 + math.exp(-self.log_odds)) if self.log_odds > -700 else 0.0


def explain(model: Pipeline, review: str) -> Explanation:
    """Split the model's log-odds among the words of a review.

    What a pair of words contributes is shared between the two, and what a repeated one contributes
    among its occurrences.
    """
    vectors, classifier = vectorizer(model), model.named_steps["classifier"]
    row = vectors.transform([review])
    known = dict(
        zip(
            row.indices.tolist(),
            (row.data * classifier.coef_[0, row.indices]).tolist(),
            strict=True,
        )
    )
    # A letter may become two when lower-cased ("İ"): each one remembers where it came from.
    origin = [position for position, letter in enumerate(review) for _ in letter.lower()]
    tokens = [
        (m.group(), origin[m.start()]) for m in re.finditer(vectors.token_pattern, review.lower())
    ]
    shortest, longest = vectors.ngram_range
    found: list[tuple[int, int, int]] = []  # column of the n-gram, its first token, its length
    for size in range(shortest, longest + 1):
        for first in range(len(tokens) - size + 1):
            column = vectors.vocabulary_.get(
                " ".join(token for token, _ in tokens[first : first + size])
            )
            if column is not None:
                found.append((column, first, size))
    occurrences = Counter(column for column, _, _ in found)
    shares: dict[int, float] = {}
    for column, first, size in found:
        for _, position in tokens[first : first + size]:
            shares[position] = (
                shares.get(position, 0.0) + known[column] / occurrences[column] / size
            )
    positions, words, reached = sorted(shares), [], 0
    for run in re.finditer(r"\S+", review):
        inside = []
        while reached < len(positions) and positions[reached] < run.end():
            inside.append(shares[positions[reached]])
            reached += 1
        words.append(Word(run.group(), run.start(), run.end(), sum(inside), bool(inside)))
    intercept = float(classifier.intercept_[0])
    return Explanation(intercept + sum(known.values()), intercept, tuple(words))
