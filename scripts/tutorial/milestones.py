"""The milestones, and the interludes between them: their notebooks and titles."""

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml

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
        return _title(self.notebook)


@dataclass(frozen=True)
class Interlude:
    """A chapter that looks at what stands and builds nothing: the milestone it comes after, its notebook."""

    after: int
    notebook: Path

    @property
    def title(self) -> str:
        """The notebook's first heading."""
        return _title(self.notebook)

    @property
    def name(self) -> str:
        """What `tutorial run` calls it."""
        return self.notebook.stem


Chapter = Milestone | Interlude


def _title(notebook: Path) -> str:
    first = nbformat.read(notebook, as_version=4).cells[0].source
    heading = re.search(r"^# (?:Milestone \d+: )?(.+)$", first, re.MULTILINE)
    return heading.group(1) if heading else notebook.stem


def all_milestones(folder: Path | None = None) -> list[Milestone]:
    """Return the milestones in order: the notebooks whose names begin with two digits."""
    found = sorted((folder or PROJECT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    return [Milestone(int(path.name[:2]), path) for path in found]


def all_interludes(project: Path | None = None) -> list[Interlude]:
    """Return the interludes in order: the other notebooks that the table of contents names."""
    folder = project or PROJECT
    contents = folder / "_toc.yml"
    toc = yaml.safe_load(contents.read_text(encoding="utf-8")) if contents.is_file() else {}
    files = [chapter["file"] for part in toc.get("parts", []) for chapter in part["chapters"]]
    found, after = [], -1
    for name in files:
        notebook = folder / f"{name}.ipynb"
        if notebook.parent != folder / "notebooks":
            continue
        if re.match(r"\d\d_", notebook.name):
            after = int(notebook.name[:2])
        else:
            found.append(Interlude(after, notebook))
    return found


def all_chapters() -> list[Chapter]:
    """Return milestones and interludes in the order in which they are read and executed."""
    chapters: list[Chapter] = [*all_milestones(), *all_interludes()]
    return sorted(chapters, key=_place)


def _place(chapter: Chapter) -> tuple[int, bool]:
    if isinstance(chapter, Milestone):
        return chapter.number, False
    return chapter.after, True


def milestone(number: int) -> Milestone:
    """Return the milestone of that number; raises `TutorialError`."""
    known = {m.number: m for m in all_milestones()}
    if number not in known:
        numbers = ", ".join(map(str, known))
        raise TutorialError(f"There is no milestone {number} yet: choose from {numbers}.")
    return known[number]


def chapter(name: str) -> Chapter:
    """Return the milestone of that number, or the interlude of that name; raises `TutorialError`."""
    if name.isdecimal():
        return milestone(int(name))
    known = {interlude.name: interlude for interlude in all_interludes()}
    if name.replace("-", "_") not in known:
        names = ", ".join(known) or "none"
        raise TutorialError(f"{name!r} is no milestone's number and no interlude ({names}).")
    return known[name.replace("-", "_")]
