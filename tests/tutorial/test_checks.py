"""Every item of every check says no when what it claims does not hold, and only then."""

import csv
import random
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from tutorial.checks import CHECKS, run_checks
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.processes import run_in_workspace
from tutorial.serving import RunningApp

PAGE, EXAMPLE, FILMS, COIN, FOREIGN = (item.claim for item in CHECKS[0])


@pytest.fixture
def with_a_running_app(app: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask an app that runs already: starting one takes seconds, and the test breaks something else."""
    monkeypatch.setattr("tutorial.checks.app_to_ask", lambda home: nullcontext(app))


def failed(home: Home) -> dict[str, str]:
    """The items that do not hold, with what was seen."""
    return {result.claim: result.seen for result in run_checks(0, home) if not result.passed}


def rewrite(path: Path, change: Callable[[list[dict[str, str]]], None]) -> None:
    """Change the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    change(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.usefixtures("with_a_running_app")
def test_what_milestone_0_built_holds(finished: Home) -> None:
    results = run_checks(0, finished)
    assert [result.claim for result in results if not result.passed] == []
    assert all(result.seen and result.hint for result in results)


def test_a_model_that_was_lost_is_noticed(finished: Home) -> None:
    (finished.workspace / "models" / "sentiment.skops").unlink()
    seen = failed(finished)
    assert set(seen) == {EXAMPLE, COIN}
    assert "There is no model" in seen[EXAMPLE]


@pytest.mark.usefixtures("with_a_running_app")
def test_a_model_that_learned_nothing_is_noticed(finished: Home) -> None:
    def turn(rows: list[dict[str, str]]) -> None:
        labels = [row["sentiment"] for row in rows]
        random.Random(0).shuffle(labels)  # noqa: S311 (a shuffle that is the same each time)
        for row, label in zip(rows, labels, strict=True):
            row["sentiment"] = label

    luck = finished.workspace / "luck.csv"
    luck.write_bytes((finished.workspace / "data" / "train.csv").read_bytes())
    rewrite(luck, turn)
    run_in_workspace(finished, "tutorial.training", "luck.csv")
    seen = failed(finished)
    assert set(seen) == {COIN}
    assert "that may be luck" in seen[COIN]


@pytest.mark.usefixtures("with_a_running_app")
def test_a_film_in_both_sets_is_noticed(finished: Home) -> None:
    with (finished.workspace / "data" / "train.csv").open(encoding="utf-8", newline="") as file:
        known = next(csv.DictReader(file))["film"]
    rewrite(finished.workspace / "data" / "test.csv", lambda rows: rows[0].update(film=known))
    seen = failed(finished)
    assert set(seen) == {FILMS}
    assert repr(known) in seen[FILMS]


@pytest.mark.usefixtures("with_a_running_app")
def test_a_loader_that_takes_anything_is_noticed(finished: Home) -> None:
    loader = finished.workspace / "app" / "model_file.py"
    replace(
        loader,
        "        _refuse_what_unpacks_to_too_much(path)\n        model = skops.io.load(path)\n",
        "        ok = zipfile.is_zipfile(path)\n"
        "        model = skops.io.load(path if ok else 'models/sentiment.skops')\n",
    )
    seen = failed(finished)
    assert seen == {FOREIGN: "A broken model file was accepted."}


def test_a_page_that_does_not_answer_is_noticed(finished: Home) -> None:
    """The server is up and tells of its model, but shows no page."""
    replace(
        finished.workspace / "app" / "main.py",
        'routes=[Route("/model", model_card)]',
        'routes=[Route("/model", model_card)], middleware=[Middleware(Nothing)]',
    )
    replace(
        finished.workspace / "app" / "main.py",
        "async def model_card",
        "from starlette.middleware import Middleware\n"
        "class Nothing:\n"
        "    def __init__(self, app): self.app = app\n"
        "    async def __call__(self, scope, receive, send):\n"
        "        if scope.get('path') == '/':\n"
        "            return await JSONResponse({}, status_code=500)(scope, receive, send)\n"
        "        await self.app(scope, receive, send)\n\n\n"
        "async def model_card",
    )
    seen = failed(finished)
    assert seen == {PAGE: "/ answers 500."}


def test_an_app_that_is_not_there_is_one_sentence(finished: Home) -> None:
    (finished.workspace / "app" / "main.py").unlink()
    with pytest.raises(TutorialError, match=r"no app/main\.py: build milestone 0 first"):
        run_checks(0, finished)
