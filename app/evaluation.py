"""How good a model is on labelled reviews, and how far the figures can be trusted.

`python -m app.evaluation MODEL_URI DATA [--json]` prints them; DATA is a corpus's name or a CSV file.
"""

import argparse
import json
import math
import re
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline

from app.corpora import labelled
from app.data import DataError
from app.model import ModelError, predict
from app.model_file import load
from app.sources import SourceError, fetch

# The most words of a review that is short, and of one that is middling.
SHORT, MIDDLE = 20, 60
NEGATION = re.compile(
    r"\b(?:not|no|never|nothing|nobody|none|neither|nor|without|hardly|cannot)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
CONTRAST = re.compile(
    r"\b(?:but|however|although|though|yet|despite|whereas|nevertheless|nonetheless)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Slice:
    """The same figures, of the reviews of one kind."""

    rows: int
    accuracy: float
    accuracy_interval: tuple[float, float]


@dataclass(frozen=True)
class Evaluation:
    """Figures of one model on one set of labelled reviews.

    `accuracy` is the share judged rightly and `accuracy_interval` its 95% interval; `log_loss` is in
    nats; `calibration_error`, 0 to 1, is how far the model's confidence lies from how often it is
    right; `examples_per_second` is measured. `slices` has what there is of the kinds of `kinds`.
    """

    rows: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    log_loss: float
    calibration_error: float
    examples_per_second: float
    slices: dict[str, Slice]


def evaluate(model: Pipeline, reviews: pd.DataFrame) -> Evaluation:
    """Ask the model about every review and compare with the labels."""
    positive = (reviews["sentiment"] == "positive").to_numpy()
    started = time.perf_counter()
    probabilities = predict(model, reviews["review"].tolist())
    seconds = time.perf_counter() - started
    hit = (probabilities >= 0.5) == positive
    right = int(hit.sum())
    return Evaluation(
        rows=len(reviews),
        accuracy=right / len(reviews),
        accuracy_interval=wilson_interval(right, len(reviews)),
        log_loss=float(log_loss(positive, probabilities, labels=[False, True])),
        calibration_error=calibration_error(probabilities, positive),
        examples_per_second=len(reviews) / seconds,
        slices={
            kind: Slice(
                rows=int(of_it.sum()),
                accuracy=float(hit[of_it].mean()),
                accuracy_interval=wilson_interval(int(hit[of_it].sum()), int(of_it.sum())),
            )
            for kind, of_it in kinds(reviews).items()
            if of_it.any()
        },
    )


def kinds(reviews: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Return which reviews are short (20 words or fewer), middle, long (more than 60), hold a negation, a contrast.

    A review is short, middle or long; what it holds, it may hold both or neither.
    """
    words = np.array([len(review.split()) for review in reviews["review"]])
    negation, contrast = (
        np.array([bool(kind.search(review)) for review in reviews["review"]])
        for kind in (NEGATION, CONTRAST)
    )
    return {
        "short": words <= SHORT,
        "middle": (words > SHORT) & (words <= MIDDLE),
        "long": words > MIDDLE,
        "negation": negation,
        "contrast": contrast,
    }


def model_at(uri: str) -> Pipeline:
    """Return the model that a URI names; raises `SourceError` or `ModelError`."""
    fetched = fetch(uri)
    if fetched is None:
        raise SourceError(f"{uri} gave no model: try again.")
    return load(fetched.path)


def wilson_interval(right: float, rows: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the 95% interval of a share, `right` of `rows`, after Wilson (1927).

    It is sound for few rows and near 0 or 1, where the textbook's plus or minus is not.
    """
    share, spread = right / rows, z * z / rows
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / rows + spread / (4 * rows))
    # At its ends the interval is closed: rounding must not leave a share of 0 or 1 out of it.
    low = middle - half if right else 0.0
    high = middle + half if right < rows else 1.0
    return low, high


def calibration_error(probabilities: ArrayLike, positive: ArrayLike, bins: int = 10) -> float:
    """Return the expected calibration error: the mean distance of confidence from accuracy.

    After Guo et al. (ICML 2017). `probabilities` are those of "positive" and `positive` the truth,
    both of shape (n,). Confidence, 0.5 to 1, is put into even bins.
    """
    chance, truth = (
        np.asarray(probabilities, dtype=float),
        np.asarray(positive, dtype=bool),
    )
    confidence, right = np.maximum(chance, 1 - chance), (chance >= 0.5) == truth
    number = np.minimum(((confidence - 0.5) * 2 * bins).astype(int), bins - 1)
    gaps = [abs(confidence[number == b].sum() - right[number == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(chance))


def main() -> int:
    """Print the evaluation; exit status 1 and one sentence where there is none."""
    parser = argparse.ArgumentParser(prog="python -m app.evaluation", description=__doc__)
    parser.add_argument("model_uri")
    parser.add_argument("data")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        reviews = labelled(arguments.data, "test")
        result = evaluate(model_at(arguments.model_uri), reviews)
    except (DataError, ModelError, SourceError) as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(asdict(result)))
        return 0
    low, high = result.accuracy_interval
    print(f"{'reviews':<22}{result.rows}")
    print(f"{'accuracy':<22}{result.accuracy:.1%}, between {low:.1%} and {high:.1%} (95%)")
    print(f"{'log loss':<22}{result.log_loss:.3f}")
    print(f"{'calibration error':<22}{result.calibration_error:.3f}")
    print(f"{'reviews a second':<22}{result.examples_per_second:,.0f}")
    for kind, part in result.slices.items():
        low, high = part.accuracy_interval
        print(f"  {kind:<20}{part.accuracy:.1%}, between {low:.1%} and {high:.1%}, of {part.rows}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
