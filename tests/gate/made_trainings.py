"""Folders as a training leaves them, with the answers that a test wants."""

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from app.behaviour import FLOORS
from app.data import data_digest

ROWS = 600
PARAMETERS = {"data": "workshop", "test": "workshop", "C": 1.0, "ngrams": 2}


@dataclass(frozen=True)
class Made:
    """A training's folder; what it holds can be changed as a stranger would."""

    folder: Path

    @property
    def record(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "record.json").read_text(encoding="utf-8")))

    def say(self, **values: Any) -> None:
        """Write other values into the record; two underscores stand between a name and one in it."""
        record = copy.deepcopy(self.record)
        for name, value in values.items():
            *outer, last = name.split("__")
            place = record
            for each in outer:
                place = place[each]
            place[last] = value
        (self.folder / "record.json").write_text(json.dumps(record), encoding="utf-8")

    def forget(self, *names: str) -> None:
        """Leave facts out of the record."""
        record = {name: value for name, value in self.record.items() if name not in names}
        (self.folder / "record.json").write_text(json.dumps(record), encoding="utf-8")


def write_training(
    folder: Path,
    right: int,
    rows: int = ROWS,
    sure: float | None = None,
    start: int = 0,
    reviews: list[str] | None = None,
    positive: list[bool] | None = None,
) -> Made:
    """Write a training that is right on `right` reviews in a row from number `start` on, and on no other.

    It is `sure` of every verdict: as sure as it is right, if nothing else is said.
    """
    texts = reviews or [f"Review number {row} of a film." for row in range(rows)]
    rows = len(texts)
    truth = np.array(positive if positive is not None else [row % 2 == 0 for row in range(rows)])
    hit = np.isin(np.arange(rows), np.arange(start, start + right) % rows)
    confidence = max(right / rows, 0.51) if sure is None else sure
    chances = np.where(hit == truth, confidence, 1 - confidence)
    tested = pd.DataFrame(
        {
            "review": texts,
            "sentiment": np.where(truth, "positive", "negative"),
            "film": [f"Film {row % 50}" for row in range(rows)],
        },
        dtype=str,
    )
    folder.mkdir(parents=True)
    told = tested.assign(positive=[f"{chance:.6f}" for chance in chances])
    told.to_csv(folder / "predictions.csv", index=False, lineterminator="\n")
    record = {
        "parameters": PARAMETERS,
        "data_digest": "a" * 64,
        "data_rows": 1500,
        "test_digest": data_digest(tested),
        "test_rows": rows,
        "input_digest": "b" * 64,
        "git_commit": "c" * 40,
        "lock_digest": "d" * 64,
        "model_digest": "e" * 64,
        "file_sha256": "f" * 64,
        "file_bytes": 800_000,
        "memory_bytes": 25_000_000,
        "seconds": 1.2,
        "run_id": "1" * 32,
        "version": None,
        "evaluation": {
            "rows": rows,
            "accuracy": right / rows,
            "accuracy_interval": [0.0, 1.0],
            "log_loss": 0.3,
            "calibration_error": 0.02,
            "examples_per_second": 9000.5,
            "slices": {},
        },
        "behaviour": {
            name: {"cases": 20, "passed": 18, "floor": floor} for name, floor in FLOORS.items()
        },
        "plots": {},
    }
    (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")
    return Made(folder)
