"""What a training leaves beside MLflow's record: a folder that a person, a gate or a report can read.

It holds model.skops, predictions.csv (the test reviews in their order with a column `positive`, the
model's probability), plots/ and record.json, which is written last.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from app.behaviour import Behaviour
from app.evaluation import Evaluation
from app.model import DECIMALS
from app.model_file import model_digest, save
from app.plots import DOTS_PER_INCH, Plot


def metrics(evaluation: Evaluation, behaviour: Behaviour, seconds: float) -> dict[str, float]:
    """Return the figures of a run by MLflow's names for them: those that runs are compared by."""
    low, high = evaluation.accuracy_interval
    return {
        "test_accuracy": evaluation.accuracy,
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "test_rows": evaluation.rows,
        "test_log_loss": evaluation.log_loss,
        "test_calibration_error": evaluation.calibration_error,
        "train_seconds": seconds,
        **{f"test_accuracy_{kind}": part.accuracy for kind, part in evaluation.slices.items()},
        **{f"behaviour_{name}": rate for name, rate in behaviour.rates.items()},
    }


def write(
    folder: Path,
    model: Pipeline,
    tested: pd.DataFrame,
    positive: NDArray[Any],
    evaluation: Evaluation,
    behaviour: Behaviour,
    plots: Mapping[str, Plot],
    facts: Mapping[str, Any],
) -> None:
    """Write the folder; `positive` are the probabilities of the test reviews, `facts` what else is known."""
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    save(model, folder / "model.skops")
    for name, plot in plots.items():
        plot.savefig(folder / "plots" / name, dpi=DOTS_PER_INCH)
    judged = tested.assign(positive=[f"{each:.{DECIMALS}f}" for each in positive])
    judged.to_csv(folder / "predictions.csv", index=False, lineterminator="\n")
    content = (folder / "model.skops").read_bytes()
    with zipfile.ZipFile(folder / "model.skops") as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    record = {
        **facts,
        "model_digest": model_digest(model),
        "file_sha256": hashlib.sha256(content).hexdigest(),
        "file_bytes": len(content),
        "memory_bytes": unpacked,
        "evaluation": asdict(evaluation),
        "behaviour": {name: asdict(group) for name, group in behaviour.groups.items()},
        "plots": {name: plot.alt for name, plot in plots.items()},
    }
    part = folder / "record.json.part"
    part.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(folder / "record.json")
