"""Keep what exists twice the same: files and the %%writefile cells that write them, pictures and their source."""

from pathlib import Path

import nbformat

from tutorial.errors import TutorialError
from tutorial.given import source_of
from tutorial.home import PROJECT
from tutorial.milestones import all_chapters, all_milestones
from tutorial.picture import draw

MAGIC = "%%writefile "


def written_path(source: str) -> str | None:
    """Return the path that a cell's source writes, or None if it is no plain %%writefile cell."""
    first = source.split("\n", 1)[0]
    path = first.removeprefix(MAGIC).strip()
    return path if first.startswith(MAGIC) and path and not path.startswith("-") else None


def sync(write: bool = True) -> list[str]:
    """Bring cells, notebooks and pictures up to date, and return what was not.

    A notebook is also rid of outputs. With `write` False nothing is changed.
    """
    changed = [c.notebook for c in all_chapters() if _sync_notebook(c.notebook, write)]
    stale = [str(notebook.relative_to(PROJECT)) for notebook in changed]
    for name, drawn in pictures().items():
        picture = PROJECT / "book" / "figures" / name
        if not picture.is_file() or picture.read_text(encoding="utf-8") != drawn:
            stale.append(str(picture.relative_to(PROJECT)))
            if write:
                picture.parent.mkdir(parents=True, exist_ok=True)
                picture.write_text(drawn, encoding="utf-8")
    return stale


def pictures() -> dict[str, str]:
    """Return the pictures of the book by file name."""
    of_milestones = {f"milestone-{m.number}.svg": draw(m.number) for m in all_milestones()}
    return {"whole.svg": draw(None), **of_milestones}


def _sync_notebook(notebook: Path, write: bool) -> bool:
    before = notebook.read_text(encoding="utf-8")
    node = nbformat.reads(before, as_version=4)
    for cell in node.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = [], None
        cell.metadata.pop("execution", None)
        path = written_path(cell.source)
        if path is not None and "exercise" not in cell.metadata.get("tags", []):
            content = source_of(path).read_text(encoding="utf-8")
            if not content.strip("\n") or not content.endswith("\n") or content.endswith("\n\n"):
                raise TutorialError(
                    f"{path} must end with one line break, as %%writefile writes it."
                )
            cell.source = f"{MAGIC}{path}\n{content[:-1]}"
    node.metadata = {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    after = nbformat.writes(node, indent=1, ensure_ascii=False) + "\n"
    if after == before:
        return False
    if write:
        notebook.write_text(after, encoding="utf-8")
    return True
