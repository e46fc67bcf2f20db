"""Milestone 0: an app, a model that is better than a coin, a loader that takes nothing foreign."""

import csv

import requests

from tutorial.checks.items import Item, Probe
from tutorial.errors import TutorialError


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
        raise TutorialError(str(card.get("problem") or "GET /model names no model in service."))
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
    return f"{len(films[0])} films to learn from, {len(films[1])} others to be tested on"


def the_model_beats_a_coin(probe: Probe) -> str:
    """On reviews of unseen films the model is better than chance, beyond doubt."""
    said = probe.model
    if said["evaluation"] is None:
        raise TutorialError(str(said["problem"]))
    low, high = said["evaluation"]["accuracy_interval"]
    words = f"{said['evaluation']['accuracy']:.1%} right, between {low:.1%} and {high:.1%}"
    if low <= 0.5:
        raise TutorialError(f"{words}: that may be luck.")
    return words


def a_foreign_file_is_refused(probe: Probe) -> str:
    """A file that is no model is refused by a sentence, before anybody is served by it."""
    refusal = probe.model["refusal"]
    if refusal is None:
        raise TutorialError("A broken model file was accepted.")
    if "not a whole skops model" not in refusal:
        raise TutorialError(f"A broken model file gives: {refusal}")
    return "a broken file is refused with a sentence"


ITEMS = [
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
