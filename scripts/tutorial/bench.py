"""Measure the figures that we hold ourselves to: `tutorial bench`. Each stands beside its limit."""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil
from rich.console import Console
from rich.table import Table

from tutorial.book import build
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.processes import run_in_workspace
from tutorial.run import fresh_home, run
from tutorial.screenshot import open_browser
from tutorial.serving import RunningApp, start_app


@dataclass(frozen=True)
class Figure:
    """A measured value, its unit, and the limit that it must not exceed; `aim` is where we want it."""

    name: str
    value: float
    unit: str
    limit: float
    aim: float | None = None

    @property
    def met(self) -> bool:
        """Tell whether the value is within the limit."""
        return self.value <= self.limit


def measure(console: Console) -> list[Figure]:
    """Measure everything, one after the other, saying what is being measured."""
    figures: list[Figure] = []
    with fresh_home() as home:
        for what, measurement in MEASUREMENTS.items():
            console.print(f"Measuring: {what}")
            figures += measurement(home)
    return figures


def table(figures: list[Figure]) -> Table:
    """Return the figures as a table for a terminal."""
    result = Table("", "Figure", "Measured", "Limit", "Aim")
    for figure in figures:
        aim = "" if figure.aim is None else f"{figure.aim:g} {figure.unit}"
        mark = "[green]✓[/]" if figure.met else "[red]✗[/]"
        value, limit = (
            f"{figure.value:.3g} {figure.unit}",
            f"{figure.limit:g} {figure.unit}",
        )
        result.add_row(mark, figure.name, value, limit, aim)
    return result


def _milestone(home: Home) -> Iterator[Figure]:
    [outcome] = run([0], home, Console(quiet=True))
    if outcome.problem:
        raise TutorialError(outcome.problem)
    yield Figure("milestone 0 fresh", outcome.seconds, "s", 40)


def _app(home: Home) -> Iterator[Figure]:
    with open_browser() as browser:  # its own start is not the app's
        page = browser.new_page()
        started = time.perf_counter()
        app = start_app(home)
        try:
            page.goto(app.url)
            page.get_by_role("button", name="A slating").click()
            page.get_by_text("Where they stand").wait_for()
            seconds = time.perf_counter() - started
            yield Figure("app: start to first prediction", seconds, "s", 8, 5)
            yield Figure("app: memory after it", _memory(app), "MB", 430, 350)
        finally:
            app.stop()


def _memory(app: RunningApp) -> float:
    """Return the resident memory of the app's processes, without the leash that holds them."""
    leash = psutil.Process(app.process.pid if app.process else None)
    family = leash.children(recursive=True)
    return sum(process.memory_info().rss for process in family) / 1e6


def explain_many() -> None:
    """In a workspace: print the seconds of 200 predictions with explanation of a review of 250 words."""
    from app.data import read_reviews
    from app.explanation import explain
    from app.model_file import load

    model = load("models/sentiment.skops")
    words = " ".join(read_reviews("data/test.csv")["review"]).split()
    times = []
    for n in range(200):
        review = " ".join(words[n * 20 : n * 20 + 250])
        started = time.perf_counter()
        _ = explain(model, review).positive
        times.append(time.perf_counter() - started)
    print(json.dumps(times))


def _explanation(home: Home) -> Iterator[Figure]:
    times = json.loads(run_in_workspace(home, "tutorial.bench"))
    name = "prediction with explanation, 250 words, median"
    yield Figure(name, statistics.median(times) * 1000, "ms", 5)


def _book(home: Home) -> Iterator[Figure]:
    for name, cold, limit in (("from cold", True, 90), ("unchanged", False, 15)):
        started = time.perf_counter()
        build(cold=cold, quiet=True)
        yield Figure(f"book {name}", time.perf_counter() - started, "s", limit)


MEASUREMENTS: dict[str, Callable[[Home], Iterator[Figure]]] = {
    "milestone 0": _milestone,
    "the app, in a browser": _app,
    "an explanation": _explanation,
    "the book": _book,
}

if __name__ == "__main__":
    explain_many()
