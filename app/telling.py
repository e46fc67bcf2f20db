"""Which words tell a model most: explanations of single reviews, put together."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sklearn.pipeline import Pipeline

from app.explanation import explain

LEAST = 5  # occurrences: the mean of fewer is an anecdote


@dataclass(frozen=True)
class Telling:
    """A word in lower case, how often it occurs, and what it adds to the log-odds of "positive" on average."""

    word: str
    occurrences: int
    contribution: float


def most_telling(model: Pipeline, reviews: Iterable[str], number: int = 10) -> list[Telling]:
    """Return the words that tell most in these reviews, the most negative first.

    There are up to `number` for each sentiment, of those that occur `LEAST` times or more. A word
    that the model does not know adds nothing.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for review in reviews:
        for each in explain(model, review).words:
            word = re.sub(r"^\W+|\W+$", "", each.text.lower()).replace("\u2019", "'")
            if word:
                found[word].append(each.contribution)
    words = [
        Telling(word, len(parts), sum(parts) / len(parts))
        for word, parts in found.items()
        if len(parts) >= LEAST
    ]
    words.sort(key=lambda each: (each.contribution, each.word))
    negative = [each for each in words if each.contribution < 0][:number]
    positive = [each for each in words if each.contribution > 0]
    return negative + positive[max(len(positive) - number, 0) :]
