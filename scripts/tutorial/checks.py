"""Does what a milestone built hold? Each item probes the real thing and carries a hint for when it does not."""

import csv
import json
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests

from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.processes import run_in_workspace
from tutorial.serving import RunningApp, app_to_ask


@dataclass(frozen=True)
class Probe:
    """What an item may ask: the home, and the app that runs in it."""

    home: Home
    app: RunningApp


@dataclass(frozen=True)
class Item:
    """One thing that must hold. `probe` returns what it saw, or raises `TutorialError`."""

    claim: str
    hint: str
    probe: Callable[[Probe], str]


@dataclass(frozen=True)
class Result:
    """What an item's probe said: `seen` is the evidence, or what is wrong."""

    claim: str
    passed: bool
    seen: str
    hint: str


def the_page_answers(probe: Probe) -> str:
    """The page and Streamlit's health check answer."""
    for path in ("/", "/_stcore/health"):
        try:
            answer = requests.get(probe.app.url + path, timeout=10)
        except requests.RequestException:
            raise TutorialError(f"Nothing answers at {probe.app.url}{path}.") from None
        if answer.status_code != 200:
            raise TutorialError(f"{path} answers {answer.status_code}.")
    return f"200 from {probe.app.url}"


def the_model_predicts_its_example(probe: Probe) -> str:
    """`GET /model` says that a model is in service."""
    card = probe.app.card()
    if card.get("status") != "serving":
        raise TutorialError(
            str(card.get("problem") or "GET /model names no model in service.")
        )
    return f"model digest {card['digest'][:12]}"


def no_film_is_in_both(probe: Probe) -> str:
    """No film of the test set occurs in the training set."""
    films: list[set[str]] = []
    for name in ("train", "test"):
        path = probe.home.workspace / "data" / f"{name}.csv"
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                films.append({row["film"] for row in csv.DictReader(file)} - {""})
        except (OSError, KeyError, UnicodeDecodeError):
            raise TutorialError(
                f"data/{name}.csv cannot be read, or has no column `film`."
            ) from None
    both = sorted(films[0] & films[1])
    if both:
        raise TutorialError(f"{len(both)} films are in both sets, {both[0]!r} for one.")
    if not films[1]:
        raise TutorialError("data/test.csv names no film.")
    return (
        f"{len(films[0])} films to learn from, {len(films[1])} others to be tested on"
    )


def the_model_beats_a_coin(probe: Probe) -> str:
    """On reviews of unseen films the model is better than chance, beyond doubt."""
    answer = run_in_workspace(
        probe.home,
        "app.evaluation",
        "models/sentiment.skops",
        "data/test.csv",
        "--json",
    )
    result = json.loads(answer)
    low, high = result["accuracy_interval"]
    said = f"{result['accuracy']:.1%} right, between {low:.1%} and {high:.1%}"
    if low <= 0.5:
        raise TutorialError(f"{said}: that may be luck.")
    return said


def a_foreign_file_is_refused(probe: Probe) -> str:
    """`app.verify` says no to a file that is no model, before anybody is served by it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sentiment.skops"
        path.write_bytes(b"not a model")
        try:
            run_in_workspace(probe.home, "app.evaluation", str(path), "data/test.csv")
        except TutorialError as error:
            if "not a whole skops model" in str(error):
                return "a broken file is refused with a sentence"
            raise TutorialError(f"A broken model file gives: {error}") from None
    raise TutorialError("A broken model file was accepted.")


CHECKS: dict[int, list[Item]] = {
    0: [
        Item(
            "The page answers",
            "Run the cell with lab.serve() again, and read what it prints.",
            the_page_answers,
        ),
        Item(
            "The model in service predicts its own example",
            "Train and save the model again; MODEL_URI must name the file.",
            the_model_predicts_its_example,
        ),
        Item(
            "No film is in both training and test set",
            "Run the cell that gives data/train.csv and data/test.csv again.",
            no_film_is_in_both,
        ),
        Item(
            "The model beats a coin on films it never saw",
            "Train on data/train.csv, all of it, with the parameters as given.",
            the_model_beats_a_coin,
        ),
        Item(
            "A file that is no model is refused",
            "Run the cell that gives app/model_file.py again.",
            a_foreign_file_is_refused,
        ),
    ]
}


def run_checks(milestone: int, home: Home) -> list[Result]:
    """Probe every item of a milestone. Raises `TutorialError` only where there is no app to ask."""

    def ask(item: Item) -> Result:
        try:
            return Result(item.claim, True, item.probe(probe), item.hint)
        except TutorialError as error:
            return Result(item.claim, False, str(error), item.hint)

    with app_to_ask(home) as app, ThreadPoolExecutor() as threads:
        probe = Probe(home, app)
        return list(threads.map(ask, CHECKS[milestone]))
