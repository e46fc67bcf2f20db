"""Notebooks of a few cells, and what their cells said when they were executed."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook


def text(source: str) -> NotebookNode:
    """A cell of text."""
    return new_markdown_cell(source)


def code(source: str, *tags: str) -> NotebookNode:
    """A cell of code."""
    return new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def refused(source: str) -> NotebookNode:
    """A cell of code that is expected to raise: the notebook goes on after it."""
    return code(source, "raises-exception")


def write_notebook(path: Path, *cells: NotebookNode | str) -> Path:
    """Write a notebook; a text stands for a cell of code."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [code(cell) if isinstance(cell, str) else cell for cell in cells]
    nbformat.write(new_notebook(cells=made), path)
    return path


def cells_of(path: Path) -> list[NotebookNode]:
    """The cells of a notebook's file."""
    return list(nbformat.read(path, as_version=4).cells)


def printed(cell: NotebookNode) -> str:
    """What an executed cell printed."""
    return "".join(o.text for o in cell.outputs if o.output_type == "stream")


def shown_error(cell: NotebookNode) -> list[str]:
    """The lines that a reader sees of the error that a cell raised; none if it raised none."""
    errors = [o.traceback for o in cell.outputs if o.output_type == "error"]
    return list(errors[0]) if errors else []
