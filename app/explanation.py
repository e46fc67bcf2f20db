"""Why a review is judged as it is: what each of its words adds to the model's log-odds."""

import math
import re
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.pipeline import Pipeline
from sklearn.utils import murmurhash3_32

from app.model import CONSTANTS


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
    """Why a review is judged so: `intercept` and the contributions add up to `log_odds`.

    `intercept` is what the model says before it reads a word, the less the more it reads.
    """

    log_odds: float
    intercept: float
    words: tuple[Word, ...]

    @property
    def positive(self) -> float:
        """The calibrated probability that the review is positive."""
        return 1 / (1 + math.exp(-self.log_odds)) if self.log_odds > -700 else 0.0


def explain(model: Pipeline, review: str) -> Explanation:
    """Split the model's log-odds among the words of a review.

    What a feature contributes is shared evenly among its occurrences, and each occurrence's part
    among the words that it was read from: of a pair, or of a word and the negation before it.
    """
    words = list(re.finditer(r"\S+", review))
    columns, readers = _occurrences(model, review, words)
    found, occurrence_of, counts = np.unique(columns, return_inverse=True, return_counts=True)
    weights, classifier = model.named_steps["weights"], model.named_steps["classifier"]
    shape = (1, classifier.n_features_in_)
    row = csr_matrix((np.ones(len(found)), found, [0, len(found)]), shape=shape)
    contributed = weights.transform(row).data * classifier.coef_[0, found]
    sizes = np.array([len(numbers) for numbers in readers])
    parts = (contributed / counts)[occurrence_of] / np.maximum(sizes, 1)
    owner = np.fromiter((number for numbers in readers for number in numbers), dtype=int)
    shares = np.bincount(owner, np.repeat(parts, sizes), len(words))
    telling = (classifier.coef_[0, found] != 0)[occurrence_of]
    known = np.bincount(owner, np.repeat(telling, sizes), len(words)) > 0
    log_odds = float(classifier.intercept_[0] + contributed.sum())
    of_no_word = contributed[found >= shape[1] - len(CONSTANTS)].sum()
    return Explanation(
        log_odds,
        float(classifier.intercept_[0] + of_no_word),
        tuple(
            Word(word.group(), word.start(), word.end(), share, is_known)
            for word, share, is_known in zip(words, shares.tolist(), known.tolist(), strict=True)
        ),
    )


def _occurrences(
    model: Pipeline, review: str, words: list[re.Match[str]]
) -> tuple[list[int], list[tuple[int, ...]]]:
    """Return the column of each occurrence of a feature, and the numbers of the words it was read from."""
    number_at = [-1] * len(review)
    for number, word in enumerate(words):
        number_at[word.start() : word.end()] = [number] * len(word.group())
    text = review.lower()
    if len(text) > len(review):  # a letter may become two when lower-cased: "İ"
        number_at = [
            number_at[place] for place, letter in enumerate(review) for _ in letter.lower()
        ]
    columns: list[int] = []
    readers: list[tuple[int, ...]] = []
    first_column = 0
    for name, part, _ in model.named_steps["features"].transformers:
        if name in CONSTANTS:  # read from the text as a whole: no word's
            if re.search(part.token_pattern, text):
                columns.append(first_column)
                readers.append(())
            first_column += 1
            continue
        tokens, places = [], []
        for match in re.finditer(part.token_pattern, text):
            tokens.append((match[match.re.groups] or "") if match.re.groups else match[0])
            first, last = number_at[match.start()], number_at[match.end() - 1]
            places.append(tuple(range(first, last + 1)))
        shortest, longest = part.ngram_range
        for size in range(shortest, longest + 1):
            for start in range(len(tokens) - size + 1):
                run = " ".join(tokens[start : start + size]) if size > 1 else tokens[start]
                columns.append(first_column + abs(murmurhash3_32(run)) % part.n_features)
                numbers = places[start]
                if size > 1:
                    numbers = tuple({n for place in places[start : start + size] for n in place})
                readers.append(numbers)
        first_column += part.n_features
    return columns, readers
