"""What a training leaves as files: whole, in the test set's order, and what its figures are called."""

import hashlib
import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from app import plots, training_record
from app.behaviour import Behaviour, Group, behave, read_cases
from app.corpora import labelled
from app.evaluation import evaluate
from app.model import Params, predict, train
from app.model_file import load, model_digest
from tutorial.home import PROJECT

FACTS = {"data_digest": "d" * 64, "run_id": "r", "version": None, "seconds": 1.5}


@pytest.fixture(scope="module")
def given() -> dict[str, Any]:
    """All that is to be written of a small model, tested on reviews with commas, quotes and lines."""
    patch = pytest.MonkeyPatch()
    with patch.context() as here:
        here.chdir(PROJECT)
        model = train(labelled("workshop", "train").head(300), Params(bits=10))
        tested = labelled("workshop", "test").iloc[::-7]  # neither sorted nor numbered from zero
        tested.iloc[0, 0] = 'She said "never, ever",\nand meant it \u2013 na\u00efve?'
        cases = read_cases()
    chances = predict(model, tested["review"].tolist())
    drawn = {"confusion.png": plots.confusion(chances, tested["sentiment"] == "positive")}
    return {
        "model": model,
        "tested": tested,
        "positive": chances,
        "evaluation": evaluate(model, tested),
        "behaviour": behave(model, cases),
        "plots": drawn,
        "facts": FACTS,
    }


@pytest.fixture(scope="module")
def folder(given: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("record") / "training"
    training_record.write(folder, **given)
    return folder


def test_predictions_are_the_test_set_in_its_order(folder: Path, given: dict[str, Any]) -> None:
    table = pd.read_csv(folder / "predictions.csv", dtype=str, keep_default_na=False)
    assert list(table) == ["review", "sentiment", "film", "positive"]
    assert table.drop(columns="positive").equals(given["tested"].reset_index(drop=True))
    assert [len(each.partition(".")[2]) for each in table["positive"]] == [6] * len(table)
    told = predict(load(folder / "model.skops"), table["review"].tolist())
    assert table["positive"].tolist() == [f"{each:.6f}" for each in told]


def test_the_record_says_of_the_file_what_it_is(folder: Path, given: dict[str, Any]) -> None:
    record = json.loads((folder / "record.json").read_text("utf-8"))
    content = (folder / "model.skops").read_bytes()
    assert record["file_bytes"] == len(content)
    assert record["file_sha256"] == hashlib.sha256(content).hexdigest()
    assert record["model_digest"] == model_digest(given["model"])
    with zipfile.ZipFile(folder / "model.skops") as archive:
        assert record["memory_bytes"] == sum(len(archive.read(name)) for name in archive.namelist())


def test_the_record_is_whole(folder: Path, given: dict[str, Any]) -> None:
    record = json.loads((folder / "record.json").read_text("utf-8"))
    assert record.items() >= FACTS.items()
    assert record["evaluation"] == json.loads(json.dumps(asdict(given["evaluation"])))
    groups = given["behaviour"].groups
    assert record["behaviour"] == {name: asdict(group) for name, group in groups.items()}
    assert record["plots"] == {"confusion.png": given["plots"]["confusion.png"].alt}
    assert (folder / "plots" / "confusion.png").read_bytes().startswith(b"\x89PNG")
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert left == {"model.skops", "predictions.csv", "record.json", "plots/confusion.png"}


def test_without_all_the_rest_there_is_no_record(given: dict[str, Any], tmp_path: Path) -> None:
    class Full(plots.Plot):
        def savefig(self, *_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        training_record.write(tmp_path, **{**given, "plots": {"confusion.png": Full()}})
    assert not (tmp_path / "record.json").exists()


def test_figures_have_mlflow_s_names(given: dict[str, Any]) -> None:
    evaluation = given["evaluation"]
    behaviour = Behaviour({"names": Group(20, 15, 0.5)}, ())
    figures = training_record.metrics(evaluation, behaviour, 1.5)
    low, high = evaluation.accuracy_interval
    parts = {f"test_accuracy_{kind}": each.accuracy for kind, each in evaluation.slices.items()}
    assert figures == {
        "test_accuracy": evaluation.accuracy,
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "test_rows": len(given["tested"]),
        "test_log_loss": evaluation.log_loss,
        "test_calibration_error": evaluation.calibration_error,
        "train_seconds": 1.5,
        "behaviour_names": 0.75,
        **parts,
    }
