"""A measured figure beside its limit, and what more than one of them is measured by."""

from dataclasses import dataclass

import psutil
from rich.console import Console
from rich.table import Table

from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.run import run
from tutorial.serving import RunningApp


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


def seconds_of(milestones: list[int], home: Home) -> float:
    """Execute milestones and return the seconds that they took together."""
    outcomes = run(milestones, home, Console(quiet=True))
    problems = [outcome.problem for outcome in outcomes if outcome.problem]
    if problems:
        raise TutorialError(problems[0])
    return sum(outcome.seconds for outcome in outcomes)


def memory_of(app: RunningApp) -> float:
    """Return the resident memory of the app's processes, without the leash that holds them."""
    leash = psutil.Process(app.process.pid if app.process else None)
    family = leash.children(recursive=True)
    return sum(process.memory_info().rss for process in family) / 1e6
