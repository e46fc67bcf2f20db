"""How good a model is on labelled reviews, and how far the figures can be trusted.

`python -m app.evaluation MODEL_URI DATA [--json]` prints them; DATA is a corpus's name or a CSV file.
"""

import argparse
import json
import math
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline

from app.corpora import labelled
from app.data import DataError
from app.model import ModelError, predict
from app.model_file import load
from app.sources import SourceError, fetch


@dataclass(frozen=True)
class Evaluation:
    """Figures of one model on one set of labelled reviews.

    `accuracy` is the share judged rightly and `accuracy_interval` its 95% interval; `log_loss` is in
    nats; `calibration_error`, 0 to 1, is how far the model's confidence lies from how often it is
    right; `examples_per_second` is measured.
    """

    rows: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    log_loss: float
    calibration_error: float
    examples_per_second: float


def evaluate(model: Pipeline, reviews: pd.DataFrame) -> Evaluation:
    """Ask the model about every review and compare with the labels."""
    positive = (reviews["sentiment"] == "positive").to_numpy()
    started = time.perf_counter()
    probabilities = predict(model, reviews["review"].tolist())
    seconds = time.perf_counter() - started
    right = int(((probabilities >= 0.5) == positive).sum())
    return Evaluation(
        rows=len(reviews),
        accuracy=right / len(reviews),
        accuracy_interval=wilson_interval(right, len(reviews)),
        log_loss=float(log_loss(positive, probabilities, labels=[False, True])),
        calibration_error=calibration_error(probabilities, positive),
        examples_per_second=len(reviews) / seconds,
    )


def wilson_interval(right: int, rows: int, z: float = 1.959964) -> tuple[float, float]:
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
        fetched = fetch(arguments.model_uri)
        if fetched is None:
            raise SourceError(f"{arguments.model_uri} gave no model: try again.")
        result = evaluate(load(fetched.path), reviews)
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
