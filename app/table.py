"""Judge a table of reviews."""

from collections.abc import Callable
from typing import IO

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from app.data import DataError, read_table
from app.model import predict
from app.verdict import verdict

BATCH = 500  # rows between two reports of progress


def judge_table(
    model: Pipeline,
    file: IO[bytes],
    name: str,
    progress: Callable[[float, str], object] = lambda share, text: None,
) -> pd.DataFrame:
    """Return the CSV file's table with two columns more: `verdict`, and `positive`, the probability to 3 decimals.

    `progress` is called with the share that is done, 0 to 1, and a text. Raises `app.data.DataError`.
    """
    table = read_table(file, name)
    for taken in {"verdict", "positive"} & set(table.columns):
        raise DataError(
            f"{name} has a column `{taken}` already: rename it, for the answer goes there."
        )
    chances: list[float] = []
    for start in range(0, len(table), BATCH):
        batch = table["review"].iloc[start : start + BATCH]
        chances += predict(model, batch.tolist()).tolist()
        done = min(start + BATCH, len(table))
        progress(done / len(table), f"{done:,} of {len(table):,} reviews judged")
    return table.assign(
        verdict=[verdict(chance) for chance in chances], positive=np.round(chances, 3)
    )
