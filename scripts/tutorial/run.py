"""Execute chapters without a screen: `tutorial run`."""

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
from tutorial.milestones import Chapter, Milestone, all_chapters, chapter
from tutorial.teardown import cloud_taken_down


@dataclass(frozen=True)
class Outcome:
    """What executing one chapter gave: wall time in seconds, its check, its audit, its problem.

    An interlude has neither check nor audit.
    """

    chapter: Chapter
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


def run(names: Sequence[int | str], home: Home, console: Console) -> list[Outcome]:
    """Execute chapters, all of them if none is named, and stop at the first that fails.

    A milestone is named by its number, an interlude by its notebook. Raises `TutorialError`.
    """
    chosen = [chapter(str(name)) for name in names] or all_chapters()
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


def _run_one(item: Chapter, home: Home, progress: Progress) -> Outcome:
    number = item.number if isinstance(item, Milestone) else None
    for name in ("check", "audit"):
        home.forget(f"{name}-{number}")
    task = progress.add_task(_described(item), total=None)
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
    checks = home.recall(f"check-{number}") or {"passed": 0, "total": 0}
    audit = home.recall(f"audit-{number}") or {"answered": 0, "of": 8}
    if problem is None and number is not None and checks["total"] == 0:
        problem = f"{item.notebook.name} ran to its end without a lab.check({number})"
    return Outcome(item, seconds, checks, audit, problem)


def _described(item: Chapter) -> str:
    return f"{item.number} {item.title}" if isinstance(item, Milestone) else f"  {item.title}"


def as_json(outcomes: list[Outcome]) -> dict[str, Any]:
    """Return the outcomes in the form that `tutorial run --json` prints; `interludes` where one ran."""
    milestones, interludes = [], []
    for outcome in outcomes:
        if isinstance(outcome.chapter, Milestone):
            number = {"milestone": outcome.chapter.number, "seconds": outcome.seconds}
            milestones.append({**number, "checks": outcome.checks, "audit": outcome.audit})
        else:
            name = {"interlude": outcome.chapter.name, "after": outcome.chapter.after}
            interludes.append({**name, "seconds": outcome.seconds})
    return {
        "ok": all(outcome.problem is None for outcome in outcomes),
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 1),
        "milestones": milestones,
        **({"interludes": interludes} if interludes else {}),
    }


def as_table(outcomes: list[Outcome]) -> Table:
    """Return the outcomes as a table for a terminal."""
    table = Table("", "Chapter", "Seconds", "Checks", "Audit")
    for outcome in outcomes:
        counts = (
            f"{outcome.checks['passed']} of {outcome.checks['total']}",
            f"{outcome.audit['answered']} of {outcome.audit['of']}",
        )
        table.add_row(
            "[red]✗[/]" if outcome.problem else "[green]✓[/]",
            _described(outcome.chapter),
            f"{outcome.seconds:.1f}",
            *(counts if isinstance(outcome.chapter, Milestone) else ("", "")),
        )
    return table
