"""What exists twice is the same, and where it is not, `tutorial sync` says so and mends it."""

import io
import shutil
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager
from small_notebook import cells_of, code, write_notebook

from tutorial import given as given_files
from tutorial import milestones
from tutorial import sync as syncing
from tutorial.errors import TutorialError
from tutorial.home import PROJECT
from tutorial.sync import MAGIC, pictures, sync, written_path

NOTEBOOK = "notebooks/00_zero_ops.ipynb"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what `sync` reads and writes, in step as committed."""
    copy = tmp_path / "project"
    for name in ("app", "notebooks", "book/figures", "infra", ".github"):
        shutil.copytree(PROJECT / name, copy / name)
    for name in (
        "Dockerfile",
        ".dockerignore",
        "heroku.yml",
        *("gate.yaml", "params.yaml", "scripts/deploy.py", "scripts/gate.py"),
        *("scripts/post_report.py", "scripts/promote.py", "scripts/upload.py"),
    ):
        (copy / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(PROJECT / name, copy / name)
    for module in (syncing, milestones, given_files):
        monkeypatch.setattr(module, "PROJECT", copy)
    return copy


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stale_at_once_and_never_after(project: Path) -> list[str]:
    """Look, mend, look again; return what was stale."""
    before = contents(project)
    stale = sync(write=False)
    assert contents(project) == before
    assert sync(write=True) == stale
    assert sync(write=False) == []
    return stale


def test_the_project_is_in_step(tutorial: Callable[..., Any]) -> None:
    said = tutorial("sync", "--check")
    assert (said.status, said.out, said.err) == (0, "", "")


def test_a_copy_of_the_project_is_in_step(project: Path) -> None:
    assert stale_at_once_and_never_after(project) == []


def test_a_changed_file_makes_its_notebook_stale_until_it_is_mended(
    project: Path, tutorial: Callable[..., Any]
) -> None:
    with (project / "app" / "settings.py").open("a") as file:
        file.write("\nCHANGED = True\n")
    said = tutorial("sync", "--check")
    assert said.status == 1
    assert said.out == f"stale: {NOTEBOOK}\n"
    assert said.err == "Run `tutorial sync` and commit what it changes.\n"
    assert stale_at_once_and_never_after(project) == [NOTEBOOK]
    sources = [cell.source for cell in cells_of(project / NOTEBOOK)]
    content = (project / "app" / "settings.py").read_text()
    assert f"{MAGIC}app/settings.py\n{content}" in [f"{s}\n" for s in sources]


def test_a_cell_edited_by_hand_is_set_right(project: Path) -> None:
    before = (project / NOTEBOOK).read_text()
    (project / NOTEBOOK).write_text(before.replace("import os", "import sys"))
    assert stale_at_once_and_never_after(project) == [NOTEBOOK]
    assert (project / NOTEBOOK).read_text() == before


def test_outputs_are_removed(project: Path) -> None:
    before = (project / NOTEBOOK).read_text()
    node = nbformat.reads(before, as_version=4)
    cell = next(cell for cell in node.cells if cell.cell_type == "code")
    cell.outputs = [nbformat.v4.new_output("stream", text="secret")]
    cell.execution_count = 3
    cell.metadata["execution"] = {"iopub.status.busy": "2026-11-24"}
    node.metadata["language_info"]["version"] = "3.11.7"
    nbformat.write(node, project / NOTEBOOK)
    assert stale_at_once_and_never_after(project) == [NOTEBOOK]
    assert (project / NOTEBOOK).read_text() == before


def test_a_cell_of_an_exercise_is_the_author_s_own(project: Path) -> None:
    path = project / "notebooks" / "01_more.ipynb"
    mine = f"{MAGIC}app/settings.py\nMINE = True"
    write_notebook(path, code(mine, "exercise"))
    sync(write=True)
    assert [cell.source for cell in cells_of(path)] == [mine]


def test_a_picture_that_was_changed_or_lost_is_drawn_again(project: Path) -> None:
    figures = project / "book" / "figures"
    (figures / "whole.svg").write_text("<svg/>")
    (figures / "milestone-0.svg").unlink()
    stale = stale_at_once_and_never_after(project)
    assert stale == ["book/figures/whole.svg", "book/figures/milestone-0.svg"]
    assert {p.name: p.read_text() for p in figures.glob("*.svg")} == pictures()


@pytest.mark.parametrize("end", ["", "\n\n"])
def test_a_file_that_a_cell_cannot_write_is_one_sentence(project: Path, end: str) -> None:
    path = project / "app" / "settings.py"
    path.write_text(path.read_text().rstrip("\n") + end)
    with pytest.raises(TutorialError, match=r"app/settings\.py must end with one line"):
        sync(write=False)


def test_a_cell_that_writes_no_file_of_the_project_is_one_sentence(
    project: Path,
) -> None:
    write_notebook(project / "notebooks" / "01_more.ipynb", f"{MAGIC}app/lost.py\n1")
    with pytest.raises(TutorialError, match=r"no file app/lost\.py"):
        sync(write=False)


# --- what a cell writes

names = st.text(st.characters(categories=["L", "N"], include_characters="_-./"))
sources = st.text(st.characters(exclude_categories=["Cs"]))


@given(path=names.filter(lambda name: name and name[0] != "-"), rest=sources)
def test_the_path_that_a_cell_writes_is_read(path: str, rest: str) -> None:
    assert written_path(f"{MAGIC}{path}\n{rest}") == path
    assert written_path(f"{MAGIC} {path} \n{rest}") == path


@given(source=sources)
def test_a_cell_without_the_magic_writes_nothing(source: str) -> None:
    if not source.startswith(MAGIC):
        assert written_path(source) is None
    assert written_path(f"# see {MAGIC}x\n{source}") is None
    assert written_path(f"\n{MAGIC}x\n{source}") is None


def test_a_cell_that_appends_is_no_plain_writing() -> None:
    assert written_path(f"{MAGIC}-a notes.md\nmore") is None
    assert written_path(f"{MAGIC}--append notes.md\nmore") is None


# A file that is nothing but space has no cell: IPython takes the space off.
@given(
    content=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)
)
def test_what_ipython_writes_of_a_synced_cell_is_the_file(content: str) -> None:
    # Given a cell as sync writes it, from a file that ends with one line break
    file = f"{content}\n"
    cell = f"{MAGIC}app/x.py\n{file[:-1]}"
    # When IPython takes it apart
    with redirect_stdout(io.StringIO()):
        call = TransformerManager().transform_cell(cell)
    written: list[tuple[str, str, str]] = []
    shell = type("Shell", (), {"run_cell_magic": lambda s, *a: written.append(a)})()
    exec(call, {"get_ipython": lambda: shell})  # noqa: S102
    # Then it is given the file's content, to the character
    assert written == [("writefile", "app/x.py", file)]
