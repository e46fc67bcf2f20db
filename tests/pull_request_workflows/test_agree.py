"""When a model that was trained again is the one that was reviewed, and when it is not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tutorial.home import PROJECT

ROWS = [("A delight.", 0.9), ("A bore,\nnothing\u2028more.", 0.1), ('He said "no".', 0.25)]
AGREES = "It is the very model that was reviewed: digest mmm.\n"
UNREADABLE = "holds no training that can be read"


def training(folder: Path, rows: list[tuple[str, float]] = ROWS, **digests: object) -> Path:
    folder.mkdir()
    record = {"input_digest": "iii", "model_digest": "mmm", **digests}
    (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")
    cells = ['"' + review.replace('"', '""') + f'",{positive}' for review, positive in rows]
    (folder / "predictions.csv").write_text(
        "\n".join(["review,positive", *cells]), encoding="utf-8"
    )
    return folder


def agree(reviewed: Path, trained: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, PROJECT / "scripts" / "agree.py", reviewed, trained],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout or done.stderr


def compared(
    folder: Path, rows: list[tuple[str, float]] = ROWS, **digests: object
) -> tuple[int, str]:
    """What is said where this was reviewed, and the usual training comes again."""
    return agree(training(folder / "reviewed", rows, **digests), training(folder / "trained"))


def test_the_same_digest_is_the_same_model(tmp_path: Path) -> None:
    assert compared(tmp_path) == (0, AGREES)


def test_another_processors_digest_agrees_where_every_probability_does(tmp_path: Path) -> None:
    near = [(review, positive + 9e-5) for review, positive in ROWS]
    status, said = compared(tmp_path, near, model_digest="other")
    assert status == 0
    assert (
        "digest mmm is not the reviewed other, but it says the same: of 3 probabilities none"
        in said
    )
    assert "0.000090" in said


@pytest.mark.parametrize(
    ("rows", "digests", "says"),
    [
        (ROWS, {"input_digest": "old"}, "Update the pull request from main"),
        (
            [*ROWS[:2], (ROWS[2][0], 0.2502)],
            {"model_digest": "o"},
            "a probability differs by 0.000200",
        ),
        (ROWS[:2], {"model_digest": "o"}, "It was reviewed on other test reviews"),
        (ROWS[::-1], {"model_digest": "o"}, "It was reviewed on other test reviews"),
    ],
)
def test_what_differs_is_not_promoted(
    tmp_path: Path, rows: list[tuple[str, float]], digests: dict[str, object], says: str
) -> None:
    status, said = compared(tmp_path, rows, **digests)
    assert status == 1
    assert says in said


@pytest.mark.parametrize("positive", [float("nan"), float("inf")])
def test_a_probability_that_is_no_number_agrees_with_nothing(
    tmp_path: Path, positive: float
) -> None:
    status, said = compared(tmp_path, [(review, positive) for review, _ in ROWS], model_digest="o")
    assert (status, UNREADABLE in said) == (1, True)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("record.json", b""),
        ("record.json", b"[" * 100_000),
        ("record.json", b"[]"),
        ("record.json", b'{"model_digest": "m"}'),
        ("record.json", b"\xff"),
        ("record.json", b" " * 20_000_001),
        ("predictions.csv", b""),
        ("predictions.csv", b"review,positive\n"),
        ("predictions.csv", b"review,positive\nA,high\n"),
        ("predictions.csv", b"review\nA\n"),
        ("predictions.csv", b"review,positive\nA\n"),
        ("predictions.csv", b"\0\0\xff"),
        ("predictions.csv", b"review,positive\n" + b"a" * 200_000 + b",0.5\n"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(tmp_path: Path, file: str, content: bytes) -> None:
    reviewed = training(tmp_path / "reviewed")
    (reviewed / file).write_bytes(content)
    status, said = agree(reviewed, training(tmp_path / "trained"))
    assert (status, UNREADABLE in said, len(said.splitlines())) == (1, True, 1)


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    status, said = agree(tmp_path / "reviewed", training(tmp_path / "trained"))
    assert (status, UNREADABLE in said) == (1, True)
