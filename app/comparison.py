"""Which of two models is better, judged on the same reviews, and can these reviews tell?

`python -m app.comparison CHAMPION_URI CHALLENGER_URI DATA [--rows] [--json]` says it in a sentence.
"""

import argparse
import json
import math
import sys
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr

from app.corpora import labelled
from app.data import DataError
from app.evaluation import model_at, wilson_interval
from app.model import ModelError, predict
from app.sources import SourceError


class ComparisonError(ValueError):
    """Answers that cannot be compared. The message says what is wrong and what to do."""


@dataclass(frozen=True)
class Comparison:
    """Two models on the same `rows` reviews: `champion` and `challenger` are their accuracies.

    `difference` is challenger minus champion, and `difference_interval` its paired 95% interval.
    `repaired` counts the champion's errors that the challenger does not make, `broken` those that it
    alone makes. `p_value` is how often luck alone would split so many disagreements as unevenly.
    """

    rows: int
    champion: float
    challenger: float
    difference: float
    difference_interval: tuple[float, float]
    p_value: float
    repaired: int
    broken: int

    def lies_above(self, margin: float = 0.0) -> bool:
        """Tell whether the whole interval lies above a difference: 0 is better, -0.02 not 2 points worse."""
        return self.difference_interval[0] > margin

    @property
    def sentence(self) -> str:
        """What that means, in words."""
        low, high = (100 * end for end in self.difference_interval)
        seen = (
            f"it is right on {self.challenger:.1%} of {self.rows:,} reviews and the champion on "
            f"{self.champion:.1%}; it repairs {_errors(self.repaired)} and makes "
            f"{self.broken} of its own (p = {self.p_value:.2g})"
        )
        if low > 0:
            return f"The challenger is better, by {low:.1f} to {high:.1f} points: {seen}."
        if high < 0:
            return f"The challenger is worse, by {-high:.1f} to {-low:.1f} points: {seen}."
        return (
            "These reviews cannot tell which is better: the challenger may be up to "
            f"{-low:.1f} points worse or up to {high:.1f} points better; {seen}."
        )


def _errors(number: int) -> str:
    return f"{number} error{'' if number == 1 else 's'}"


def compare(champion: ArrayLike, challenger: ArrayLike, positive: ArrayLike) -> Comparison:
    """Compare two models by what they gave each review, the probabilities of "positive", and the truth.

    All three have shape (n,), in the same order. Raises `ComparisonError`.
    """
    before, after, rows = _right(champion, challenger, positive)
    repaired, broken = int((after & ~before).sum()), int((before & ~after).sum())
    both = int((before & after).sum())
    return Comparison(
        rows=rows,
        champion=(both + broken) / rows,
        challenger=(both + repaired) / rows,
        difference=(repaired - broken) / rows,
        difference_interval=paired_interval(both, repaired, broken, rows),
        p_value=mcnemar(repaired, broken),
        repaired=repaired,
        broken=broken,
    )


def changed(
    champion: ArrayLike, challenger: ArrayLike, positive: ArrayLike
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Return the numbers of the rows that the challenger alone judges rightly, and the champion alone."""
    before, after, _ = _right(champion, challenger, positive)
    return np.flatnonzero(after & ~before), np.flatnonzero(before & ~after)


def _right(
    champion: ArrayLike, challenger: ArrayLike, positive: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], int]:
    truth = np.asarray(positive, dtype=bool)
    chances = [np.asarray(given, dtype=float) for given in (champion, challenger)]
    if truth.ndim != 1 or not len(truth) or any(each.shape != truth.shape for each in chances):
        shapes = ", ".join(str(each.shape) for each in (*chances, truth))
        raise ComparisonError(
            f"The answers and the truth have shapes {shapes}: give one number a review to each."
        )
    if not all(((each >= 0) & (each <= 1)).all() for each in chances):
        raise ComparisonError("An answer is no probability: give numbers from 0 to 1.")
    before, after = ((each >= 0.5) == truth for each in chances)
    return before, after, len(truth)


def mcnemar(repaired: int, broken: int) -> float:
    """Return the two-sided p value of McNemar's exact test (1947): were the disagreements a coin's?"""
    return min(1.0, 2 * float(bdtr(min(repaired, broken), repaired + broken, 0.5)))


def paired_interval(both: int, repaired: int, broken: int, rows: int) -> tuple[float, float]:
    """Return the 95% interval of the difference of two accuracies on the same rows.

    Newcombe's method 10 (Statistics in Medicine 17, 1998, pages 2635-2650), which Fagerland, Lydersen
    and Laake (2014) recommend: the two Wilson intervals, put together by as much as the models err on
    the same rows. `both` counts the rows that both judge rightly.
    """
    neither = rows - both - repaired - broken
    after, before = (both + repaired) / rows, (both + broken) / rows
    after_low, after_high = wilson_interval(both + repaired, rows)
    before_low, before_high = wilson_interval(both + broken, rows)
    product = float(both * neither - repaired * broken)
    if product > 0:  # corrected for continuity, towards 0
        product = max(product - rows / 2, 0.0)
    margins = (both + repaired) * (broken + neither) * (both + broken) * (repaired + neither)
    correlation = product / math.sqrt(margins) if margins else 0.0

    def width(one: float, other: float) -> float:
        return math.sqrt(max(one**2 - 2 * correlation * one * other + other**2, 0.0))

    difference = (repaired - broken) / rows
    return (
        difference - width(after - after_low, before_high - before),
        difference + width(after_high - after, before - before_low),
    )


def main() -> int:
    """Print the comparison; exit status 1 and one sentence where there is none."""
    parser = argparse.ArgumentParser(prog="python -m app.comparison", description=__doc__)
    parser.add_argument("champion_uri")
    parser.add_argument("challenger_uri")
    parser.add_argument("data")
    parser.add_argument(
        "--rows", action="store_true", help="the reviews that they judge differently"
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        reviews = labelled(arguments.data, "test")
        champion, challenger = (
            predict(model_at(uri), reviews["review"].tolist())
            for uri in (arguments.champion_uri, arguments.challenger_uri)
        )
    except (DataError, ModelError, SourceError) as error:
        print(error, file=sys.stderr)
        return 1
    positive = (reviews["sentiment"] == "positive").to_numpy()
    result = compare(champion, challenger, positive)
    listed = {}
    if arguments.rows:
        judged = reviews.assign(champion=champion, challenger=challenger)
        repaired, broken = changed(champion, challenger, positive)
        listed = {"repaired": _listed(judged, repaired), "broken": _listed(judged, broken)}
    if arguments.json:
        said = {**asdict(result), "sentence": result.sentence}
        print(json.dumps({**said, "reviews": listed} if arguments.rows else said))
        return 0
    print(result.sentence)
    for kind, rows in listed.items():
        for row in rows:
            print(f"{kind}, row {row['row']}, {row['sentiment']}: {row['review']}")
    return 0


def _listed(judged: pd.DataFrame, rows: NDArray[np.int_]) -> list[dict[str, Any]]:
    """Return what stands in these rows, counted from 1, and what the models gave to it."""
    return [
        {
            "row": int(row) + 1,
            "review": str(judged["review"].iloc[row]),
            "sentiment": str(judged["sentiment"].iloc[row]),
            "champion": round(float(judged["champion"].iloc[row]), 4),
            "challenger": round(float(judged["challenger"].iloc[row]), 4),
        }
        for row in rows
    ]


if __name__ == "__main__":
    sys.exit(main())
