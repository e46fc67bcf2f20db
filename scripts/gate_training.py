"""Read what a training left, and believe nothing that it can forge without being seen.

It may come from a stranger's pull request: every file has a largest size, every value a type and a
range, and the figures are counted again from the predictions.
"""

import io
import json
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from app.behaviour import FLOORS, Group
from app.data import COLUMNS, SENTIMENTS, DataError, data_digest, read_table
from app.evaluation import Slice, calibration_error, kinds, wilson_interval

LONGEST = {"record.json": 1_000_000, "predictions.csv": 50_000_000}  # bytes
MOST_LINES = 200_000  # a short line takes a hundred times its size in memory
MOST_NAMES = 30  # parameters, or groups of cases
LONGEST_VALUE = 500  # characters of a parameter's value
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
DIGEST = re.compile(r"[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40}(?:-dirty)?")
PROBABILITY = re.compile(r"0(?:\.[0-9]{1,20})?|1(?:\.0{1,20})?")
HEADER = ",".join([*COLUMNS, "positive"]).encode()
DIGESTS = ("data", "test", "input", "lock", "model")

Value = str | int | float | bool | None


class GateError(ValueError):
    """Something that cannot be judged. The message says what is wrong with it and what to do."""


@dataclass(frozen=True, eq=False)
class Training:
    """What a training says of itself, and its answers to the test reviews, in the test's order.

    `digests` has those of `DIGESTS` and "file", `tested` the columns of labelled reviews, and `positive`
    the probability that each is positive, shape (n,). `behaviour` is held to the floors that are in
    force here, whatever the training's own code says of them.
    """

    parameters: dict[str, Value]
    digests: dict[str, str]
    commit: str
    data_rows: int
    file_bytes: int
    memory_bytes: int
    seconds: float
    examples_per_second: float
    behaviour: dict[str, Group]
    tested: pd.DataFrame
    positive: NDArray[np.float64]

    @cached_property
    def truth(self) -> NDArray[np.bool_]:
        """Which reviews are positive, shape (n,)."""
        return (self.tested["sentiment"] == "positive").to_numpy(dtype=bool)

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Which reviews are judged rightly, shape (n,)."""
        return np.asarray((self.positive >= 0.5) == self.truth)

    @cached_property
    def whole(self) -> Slice:
        """Rows, accuracy and its 95% interval on all the test reviews."""
        return self._part(np.ones(len(self.right), dtype=bool))

    @cached_property
    def slices(self) -> dict[str, Slice]:
        """The same on the reviews of each kind, as `app.evaluation.kinds` tells them apart."""
        return {
            kind: self._part(of_it) for kind, of_it in kinds(self.tested).items() if of_it.any()
        }

    @cached_property
    def calibration(self) -> float:
        """The calibration error, 0 to 1."""
        return calibration_error(self.positive, self.truth)

    @cached_property
    def log_loss(self) -> float:
        """In nats."""
        return float(log_loss(self.truth, self.positive, labels=[False, True]))

    def _part(self, of_it: NDArray[np.bool_]) -> Slice:
        rows, right = int(of_it.sum()), int(self.right[of_it].sum())
        return Slice(rows, right / rows, wilson_interval(right, rows))


def read_training(folder: Path) -> Training:
    """Read a training's folder. Raises `GateError`."""
    record = _record(folder)
    tested, positive = _predictions(folder)
    training = Training(
        parameters=record["parameters"],
        digests={
            **{name: record[f"{name}_digest"] for name in DIGESTS},
            "file": record["file_sha256"],
        },
        commit=record["git_commit"],
        data_rows=record["data_rows"],
        file_bytes=record["file_bytes"],
        memory_bytes=record["memory_bytes"],
        seconds=record["seconds"],
        examples_per_second=record["evaluation"]["examples_per_second"],
        behaviour={
            name: Group(group["cases"], group["passed"], FLOORS.get(name))
            for name, group in record["behaviour"].items()
        },
        tested=tested,
        positive=positive,
    )
    rows, claimed = len(tested), record["evaluation"]
    # Rounded to 6 decimals, a probability may come to lie on the other side of a half.
    apart = abs(claimed["accuracy"] - training.whole.accuracy) * rows
    if {record["test_rows"], claimed["rows"]} != {rows} or apart > 1.5:
        raise GateError(
            f"{folder}: record.json and predictions.csv are not of one training: train again."
        )
    if data_digest(tested) != training.digests["test"]:
        raise GateError(
            f"{folder}: predictions.csv has other reviews than the test_digest says: train again."
        )
    return training


def _bytes(path: Path) -> bytes:
    """Read a file that is one: not what a link leads to, not a pipe that never ends."""
    most = LONGEST[path.name]
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise GateError(f"{path} is no file: train again.")
            content = file.read(most + 1)
    except FileNotFoundError:
        raise GateError(f"{path} does not exist: train first, with scripts/train.py.") from None
    except OSError as error:
        raise GateError(f"{path} cannot be read ({error.strerror}): train again.") from None
    if len(content) > most:
        raise GateError(f"{path} is larger than {most:,} bytes: no training leaves so much.")
    return content


def _record(folder: Path) -> dict[str, Any]:
    path = folder / "record.json"
    content = _bytes(path)
    try:
        record = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise GateError(f"{path} is no JSON: train again.") from None
    for name, (holds, what) in FIELDS.items():
        value = record
        for key in name.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not holds(value):
            raise GateError(f"{path}: {name} is not {what}: train again.")
    return dict(record)


def _predictions(folder: Path) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    path = folder / "predictions.csv"
    content = _bytes(path)
    if content.count(b"\n") + content.count(b"\r") > MOST_LINES:
        raise GateError(f"{path} has more than {MOST_LINES:,} lines: test on fewer reviews.")
    # Before it is a table: names of columns without end take more memory than a file without end.
    if content.split(b"\n", 1)[0].rstrip(b"\r") != HEADER:
        raise GateError(f"{path} does not begin with {HEADER.decode()}: train again.")
    try:
        table = read_table(io.BytesIO(content), str(path))
    except DataError as error:
        raise GateError(str(error)) from None
    if not table["sentiment"].isin(SENTIMENTS).all():
        raise GateError(
            f"{path} has a sentiment that is neither positive nor negative: train again."
        )
    if not all(map(PROBABILITY.fullmatch, table["positive"])):
        raise GateError(f"{path} has an answer that is no probability from 0 to 1: train again.")
    return table[list(COLUMNS)], np.array(table["positive"], dtype=np.float64)


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and DIGEST.fullmatch(value) is not None


def _is_commit(value: Any) -> bool:
    return isinstance(value, str) and COMMIT.fullmatch(value) is not None


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 10**12


def _is_number(value: Any) -> bool:
    """Tell whether it is a number that a person could read: NaN is not, for no comparison with it holds."""
    return type(value) in (int, float) and abs(value) < 1e12


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_value(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_VALUE
    return value is None or isinstance(value, bool) or _is_number(value)


def _named(value: Any, holds: Callable[[Any], bool]) -> bool:
    """Tell whether it has names and values, a few, and each value is as it should be."""
    return (
        isinstance(value, dict)
        and 0 < len(value) <= MOST_NAMES
        and all(map(NAME.fullmatch, value))
        and all(map(holds, value.values()))
    )


def _is_group(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _is_count(value.get("cases"))
        and _is_count(value.get("passed"))
        and value["passed"] <= value["cases"] > 0
    )


# What a record holds, as far as somebody reads it here, and how that is called in a sentence.
FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "parameters": (lambda value: _named(value, _is_value), "names and short values"),
    **{f"{name}_digest": (_is_digest, "a sha256 in hexadecimal") for name in DIGESTS},
    "file_sha256": (_is_digest, "a sha256 in hexadecimal"),
    "git_commit": (_is_commit, "a commit"),
    **dict.fromkeys(
        ("data_rows", "test_rows", "file_bytes", "memory_bytes", "evaluation.rows"),
        (_is_count, "a whole number of rows or bytes"),
    ),
    "seconds": (_is_number, "a number"),
    "evaluation.accuracy": (_is_share, "a number from 0 to 1"),
    "evaluation.examples_per_second": (_is_number, "a number"),
    "behaviour": (lambda value: _named(value, _is_group), "groups of cases"),
}
