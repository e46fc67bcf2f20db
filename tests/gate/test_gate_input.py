"""What a stranger's pull request leaves cannot make the gate fall over: it says in a sentence what is wrong."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_trainings import Made

import gate_case
from app.behaviour import behave, read_cases
from app.data import data_digest, read_reviews
from app.evaluation import evaluate
from app.model import Params, predict, train
from app.training_record import write
from gate import judge
from gate_case import command_line, read_case, read_limits
from gate_training import LONGEST, GateError, read_training
from tutorial.home import PROJECT

Make = Callable[..., Made]


def refusal(folder: Path) -> str:
    """Read a training that cannot be read; return the sentence that says why."""
    with pytest.raises(GateError) as refused:
        read_training(folder)
    said = str(refused.value)
    assert len(said.splitlines()) == 1
    assert len(said) < 400 + len(str(folder))
    assert said.endswith(".")
    return said


def test_a_real_training_can_be_read(tmp_path: Path) -> None:
    """With reviews that a table has to quote."""
    reviews = read_reviews(PROJECT / "data" / "train.csv").head(120)
    tested = reviews.copy()
    for row, text in enumerate(
        ['A "great"\nfilm, really.', "Line\r\nafter line.", "Plain,, \t bad."]
    ):
        tested.loc[row, "review"] = text
    model = train(reviews, Params(ngrams=1))
    chances = predict(model, tested["review"].tolist())
    facts = {
        "parameters": {"data": "workshop", "C": 1.0},
        **dict.fromkeys(("data_digest", "input_digest", "lock_digest"), "0" * 64),
        "test_digest": data_digest(tested),
        "git_commit": "1" * 40,
        **{"data_rows": 120, "test_rows": 120, "seconds": 0.5},
    }
    evaluation, behaviour = (
        evaluate(model, tested),
        behave(model, read_cases(PROJECT / "data/behaviour.csv")),
    )
    write(tmp_path, model, tested, chances, evaluation, behaviour, {}, facts)

    training = read_training(tmp_path)
    assert training.whole.accuracy == evaluation.accuracy
    assert training.calibration == pytest.approx(evaluation.calibration_error, abs=1e-5)
    assert training.log_loss == pytest.approx(evaluation.log_loss, abs=1e-5)
    assert training.slices == evaluation.slices
    assert training.behaviour == behaviour.groups
    pd.testing.assert_frame_equal(training.tested, tested.reset_index(drop=True))


def test_every_fact_that_is_missing_is_named(champion: Made) -> None:
    complete = champion.record
    for name in complete.keys() - {"run_id", "version", "plots"}:
        champion.forget(name)
        assert name in refusal(champion.folder)
        champion.say(**complete)
    read_training(champion.folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("parameters", [1]),
        ("parameters", {}),
        ("parameters", {"C": float("nan")}),
        ("parameters", {"C": {"deep": 1}}),
        ("parameters", {"C": "x" * 501}),
        ("parameters", {"| a |": 1}),
        ("parameters", {f"p{number}": 1 for number in range(31)}),
        ("data_digest", "A" * 64),
        ("test_digest", "0" * 64 + "\n"),
        ("model_digest", 7),
        ("git_commit", "main"),
        ("git_commit", "c" * 40 + "-DIRTY"),
        ("data_rows", True),
        ("data_rows", 1500.0),
        ("test_rows", 601),
        ("memory_bytes", -1),
        ("memory_bytes", float("nan")),
        ("memory_bytes", "25000000"),
        ("file_bytes", 10**13),
        ("seconds", float("inf")),
        ("evaluation", []),
        ("evaluation__rows", 599),
        ("evaluation__accuracy", 0.99),
        ("evaluation__accuracy", None),
        ("evaluation__examples_per_second", "fast"),
        ("behaviour", {}),
        ("behaviour__negation", 0.9),
        ("behaviour__negation", {"cases": 0, "passed": 0}),
        ("behaviour__negation", {"cases": 20, "passed": 21}),
        ("behaviour__negation", {"cases": 20}),
        ("behaviour__<b>", {"cases": 20, "passed": 20}),
    ],
)
def test_a_wrong_value_is_refused(champion: Made, name: str, value: Any) -> None:
    champion.say(**{name: value})
    refusal(champion.folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 500_000,
        b'{"a":' * 150_000,
        b"9" * 100_000,
        b'{"parameters": "\\ud800"}',
    ],
    ids=["empty", "cut", "null", "list", "no text", "deep", "deeper", "long number", "half"],
)
def test_a_record_that_is_none_is_refused(champion: Made, content: bytes) -> None:
    (champion.folder / "record.json").write_bytes(content)
    refusal(champion.folder)


HEAD = b"review,sentiment,film,positive\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        HEAD,
        b"review,sentiment,film\nA film,positive,F\n",
        b"sentiment,review,film,positive\npositive,A film,F,0.5\n",
        HEAD + b"A film,positive,F,nan\n",
        HEAD + b"A film,positive,F,1e-3\n",
        HEAD + b"A film,positive,F,1.5\n",
        HEAD + "A film,positive,F,0.\N{ARABIC-INDIC DIGIT FIVE}\n".encode(),
        HEAD + b"A film,positive,F,0.5,\n",
        HEAD + b"A film,positive\n",
        HEAD + b"A film," + b"x" * 100_000 + b",F,0.5\n",
        HEAD + b'"A film,positive,F,0.5\n',
        HEAD + b"A film\xff,positive,F,0.5\n",
        HEAD[:-1] + b"," * 40_000_000 + b"\n",
        HEAD + b"A" * 11_000_000 + b",positive,F,0.5\n",
    ],
    ids=lambda content: content[31:50].decode(errors="replace") or "short",
)
def test_predictions_that_are_none_are_refused(champion: Made, content: bytes) -> None:
    (champion.folder / "predictions.csv").write_bytes(content)
    refusal(champion.folder)


def test_a_table_of_too_many_lines_is_not_made(champion: Made) -> None:
    (champion.folder / "predictions.csv").write_bytes(HEAD + b"A,positive,F,0.5\n" * 200_001)
    assert "200,000 lines" in refusal(champion.folder)


@pytest.mark.parametrize("name", ["record.json", "predictions.csv"])
def test_a_file_without_end_is_not_read(champion: Made, name: str) -> None:
    """It is sparse: 3 GB that take no room."""
    os.truncate(champion.folder / name, 3_000_000_000)
    assert f"{LONGEST[name]:,} bytes" in refusal(champion.folder)


@pytest.mark.parametrize("name", ["record.json", "predictions.csv"])
@pytest.mark.parametrize("kind", ["link", "device", "pipe", "folder", "missing"])
def test_what_is_no_file_is_not_read(champion: Made, tmp_path: Path, name: str, kind: str) -> None:
    path = champion.folder / name
    (tmp_path / "secret").write_bytes(path.read_bytes())
    path.unlink()
    if kind == "link":
        path.symlink_to(tmp_path / "secret")
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    refusal(champion.folder)


def test_answers_to_other_reviews_than_the_record_says_are_refused(champion: Made) -> None:
    path = champion.folder / "predictions.csv"
    text = path.read_text(encoding="utf-8").replace("Review number 7 ", "Review number seven ")
    path.write_text(text, encoding="utf-8")
    assert "test_digest" in refusal(champion.folder)


def test_a_group_that_was_left_out_is_missed(champion: Made, made: Make) -> None:
    challenger = made("challenger", right=570)
    groups = challenger.record["behaviour"]
    challenger.say(behaviour={name: group for name, group in groups.items() if name != "emoji"})
    args = command_line(None).parse_args([str(champion.folder), str(challenger.folder)])
    with pytest.raises(GateError, match="not asked about emoji"):
        read_case(args)


@pytest.mark.parametrize("folders", [["one"], ["one", "two", "three"], ["1", "2", "3", "--first"]])
def test_too_few_or_too_many_folders_are_told(folders: list[str]) -> None:
    with pytest.raises(GateError, match="Give two folders"):
        read_case(command_line(None).parse_args(folders))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(data=st.data())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_a_record_says_it_is_judged_or_refused(
    champion: Made, tmp_path: Path, data: st.DataObject
) -> None:
    """Some value of it, at any depth, is something else."""
    record = champion.record
    place: Any = record
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    forged = tmp_path / "forged"
    forged.mkdir(exist_ok=True)
    (forged / "record.json").write_text(json.dumps(record), encoding="utf-8")
    (forged / "predictions.csv").write_bytes((champion.folder / "predictions.csv").read_bytes())
    try:
        said = judge(read_case(command_line(None).parse_args([str(champion.folder), str(forged)])))
    except GateError as error:
        sentences = str(error).splitlines()
    else:
        sentences = [verdict.evidence for verdict in said.values() if not verdict.holds][:1]
    assert len(sentences) == 1  # the champion's own answers are no better than the champion's


def test_the_rules_of_the_project_can_be_read() -> None:
    limits = read_limits(gate_case.RULES)
    assert gate_case.RULES == PROJECT / "gate.yaml"
    assert replace(limits, better=0.0) == limits
    assert limits.same_quality == -0.02


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "does not give"),
        ("- 1", "does not give"),
        ("{", "no YAML"),
        ("better: 0", "does not give app_megabytes"),
        ("ALL\nbetter: yes", "better is True"),
        ("ALL\nbetter: .nan", "better is nan"),
        ("ALL\nluck: 1", "gives 'luck'"),
        ("ALL\n1: 1", "gives 1,"),
    ],
)
def test_rules_that_are_none_are_refused(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(content.replace("ALL", gate_case.RULES.read_text(encoding="utf-8")), "utf-8")
    with pytest.raises(GateError, match=said):
        read_limits(path)


def test_the_answers_are_as_many_as_the_reviews(champion: Made) -> None:
    training = read_training(champion.folder)
    assert training.positive.shape == training.truth.shape == (600,)
    assert np.isfinite(training.positive).all()
