"""The milestones: their notebooks and titles."""

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

from tutorial.errors import TutorialError
from tutorial.home import PROJECT


@dataclass(frozen=True)
class Milestone:
    """One chapter that builds something: its number, its notebook, its title."""

    number: int
    notebook: Path

    @property
    def title(self) -> str:
        """The notebook's first heading, without the number."""
        first = nbformat.read(self.notebook, as_version=4).cells[0].source
        heading = re.search(r"^# (?:Milestone \d+: )?(.+)$", first, re.MULTILINE)
        return heading.group(1) if heading else self.notebook.stem


def all_milestones(folder: Path | None = None) -> list[Milestone]:
    """Return the milestones in order: the notebooks whose names begin with two digits."""
    found = sorted((folder or PROJECT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    return [Milestone(int(path.name[:2]), path) for path in found]


def milestone(number: int) -> Milestone:
    """Return the milestone of that number; raises `TutorialError`."""
    known = {m.number: m for m in all_milestones()}
    if number not in known:
        numbers = ", ".join(map(str, known))
        raise TutorialError(f"There is no milestone {number} yet: choose from {numbers}.")
    return known[number]
