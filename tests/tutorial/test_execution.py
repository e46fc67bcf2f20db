"""Notebooks broken on purpose: the failing cell is named, and what ran until then is kept."""

import os
from pathlib import Path

import nbformat
import pytest

from tutorial import execution
from tutorial.errors import TutorialError
from tutorial.execution import execute


def run(folder: Path, *cells: str, **environment: str) -> tuple[str, list[tuple[int, int]]]:
    """Execute a notebook of these code cells; return its output as text, and the progress told."""
    notebook, told = folder / "broken.ipynb", []
    node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(node, notebook)
    try:
        execute(
            notebook,
            folder / "out" / "broken.ipynb",
            folder / "work",
            {**os.environ, **environment},
            lambda done, all_of_them: told.append((done, all_of_them)),
        )
    finally:
        written = (folder / "out" / "broken.ipynb").read_text(encoding="utf-8")
    return written, told


def test_a_notebook_runs_where_and_with_what_it_is_told(tmp_path: Path) -> None:
    code = "import os, pathlib; print(pathlib.Path.cwd().name, os.environ['MINE'])"
    written, told = run(tmp_path, code, "1 + 1", MINE="yours")
    assert "work yours" in written
    assert told[-1] == (2, 2)
    assert sorted(told) == told


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("1 / 0", r"cell 2 \('1 / 0'\) raised ZeroDivisionError: division by zero"),
        ("import os; os._exit(1)", r"stopped: .*[Kk]ernel"),
        ("def f(:", r"cell 2 .* raised SyntaxError"),
    ],
    ids=["an error", "a kernel that dies", "a syntax error"],
)
def test_a_cell_that_fails_is_named_and_the_rest_is_kept(
    tmp_path: Path, cell: str, reason: str
) -> None:
    with pytest.raises(TutorialError, match=reason):
        run(tmp_path, "print('until' + ' then')", cell, "print('never ' + 'reached')")
    written = (tmp_path / "out" / "broken.ipynb").read_text(encoding="utf-8")
    assert "until then" in written
    assert "never reached" not in written


def test_a_cell_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "CELL_TIMEOUT", 2)
    with pytest.raises(TutorialError, match="more than 2 seconds"):
        run(tmp_path, "while True: pass")


def test_a_cell_that_may_fail_may(tmp_path: Path) -> None:
    notebook = tmp_path / "allowed.ipynb"
    cell = nbformat.v4.new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]})
    last = nbformat.v4.new_code_cell("print('reached')")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell, last]), notebook)
    execute(notebook, tmp_path / "out.ipynb", tmp_path / "work", dict(os.environ))
    assert "reached" in (tmp_path / "out.ipynb").read_text(encoding="utf-8")
