"""Execute milestones without a screen: `tutorial run`."""

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from tutorial.errors import TutorialError
from tutorial.execution import execute
from tutorial.home import Home
from tutorial.milestones import Milestone, all_milestones, milestone
from tutorial.teardown import cloud_taken_down


@dataclass(frozen=True)
class Outcome:
    """What executing one milestone gave: wall time in seconds, its check, its audit, its problem."""

    milestone: Milestone
    seconds: float
    checks: dict[str, int]
    audit: dict[str, int]
    problem: str | None


@contextmanager
def fresh_home() -> Iterator[Home]:
    """Give a new empty home, removed at the end if all went well; its cloud is taken down in any case."""
    # Resolved, as the notebooks see it: a home's cloud is known by its path.
    root = Path(tempfile.mkdtemp(prefix="tutorial-")).resolve()
    home = Home(root, root / "workspace")
    with cloud_taken_down(home):
        yield home
    shutil.rmtree(root)


def run(numbers: Sequence[int], home: Home, console: Console) -> list[Outcome]:
    """Execute the milestones, all of them if no number is given, and stop at the first that fails."""
    chosen = [milestone(number) for number in numbers] or all_milestones()
    outcomes: list[Outcome] = []
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("cells"),
        TimeElapsedColumn(),
        console=console,
    ) as progress:
        for item in chosen:
            outcomes.append(_run_one(item, home, progress))
            if outcomes[-1].problem:
                break
    return outcomes


def _run_one(item: Milestone, home: Home, progress: Progress) -> Outcome:
    for name in ("check", "audit"):
        home.forget(f"{name}-{item.number}")
    task = progress.add_task(f"{item.number} {item.title}", total=None)
    started, problem = time.perf_counter(), None
    try:
        execute(
            item.notebook,
            home.root / "executed" / item.notebook.name,
            home.root / "scratch",
            home.environment(),
            lambda done, cells: progress.update(task, completed=done, total=cells),
        )
    except TutorialError as error:
        problem = str(error)
    seconds = round(time.perf_counter() - started, 1)
    checks = home.recall(f"check-{item.number}") or {"passed": 0, "total": 0}
    audit = home.recall(f"audit-{item.number}") or {"answered": 0, "of": 8}
    if problem is None and checks["total"] == 0:
        problem = f"{item.notebook.name} ran to its end without a lab.check({item.number})"
    return Outcome(item, seconds, checks, audit, problem)


def as_json(outcomes: list[Outcome]) -> dict[str, Any]:
    """Return the outcomes in the form that `tutorial run --json` prints."""
    return {
        "ok": all(outcome.problem is None for outcome in outcomes),
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 1),
        "milestones": [
            {
                "milestone": outcome.milestone.number,
                "seconds": outcome.seconds,
                "checks": outcome.checks,
                "audit": outcome.audit,
            }
            for outcome in outcomes
        ],
    }


def as_table(outcomes: list[Outcome]) -> Table:
    """Return the outcomes as a table for a terminal."""
    table = Table("", "Milestone", "Seconds", "Checks", "Audit")
    for outcome in outcomes:
        table.add_row(
            "[red]✗[/]" if outcome.problem else "[green]✓[/]",
            f"{outcome.milestone.number} {outcome.milestone.title}",
            f"{outcome.seconds:.1f}",
            f"{outcome.checks['passed']} of {outcome.checks['total']}",
            f"{outcome.audit['answered']} of {outcome.audit['of']}",
        )
    return table
