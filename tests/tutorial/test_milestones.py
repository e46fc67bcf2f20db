"""The milestones are the notebooks whose names begin with two digits; the book names the interludes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_notebook import text, write_notebook

from tutorial import milestones
from tutorial.errors import TutorialError
from tutorial.milestones import (
    Interlude,
    Milestone,
    all_chapters,
    all_interludes,
    all_milestones,
    chapter,
    milestone,
)


def test_milestones_are_in_order_and_other_notebooks_are_none(tmp_path: Path) -> None:
    for name in ("01_deploy", "00_zero_ops", "train", "10_last", "1_short"):
        write_notebook(tmp_path / f"{name}.ipynb")
    assert [m.number for m in all_milestones(tmp_path)] == [0, 1, 10]


def test_a_number_that_is_none_is_one_sentence_with_the_choice() -> None:
    with pytest.raises(TutorialError, match="no milestone 7 yet: choose from 0"):
        milestone(7)


@given(title=st.text(st.characters(categories=["L", "N", "P"]), min_size=1))
def test_a_title_is_the_first_heading_without_its_number(
    title: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "03_title.ipynb"
    write_notebook(path, text(f"# Milestone 3: {title}\n\n# Not this"))
    assert Milestone(3, path).title == title


def test_without_a_heading_the_file_s_name_is_the_title(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "03_nameless.ipynb", text("Just text."))
    assert Milestone(3, path).title == "03_nameless"


TOC = """
root: book/welcome
parts:
  - chapters: [{file: book/set-up}, {file: notebooks/hello}]
  - chapters:
      - file: notebooks/00_a
      - file: notebooks/look_closer
      - file: notebooks/and_again
      - file: notebooks/01_b
      - file: book/glossary
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of three milestones, the last not in the book yet, and three interludes."""
    for name in ("00_a", "01_b", "02_c", "look_closer", "and_again", "hello", "train"):
        write_notebook(tmp_path / "notebooks" / f"{name}.ipynb", text(f"# {name}"))
    (tmp_path / "_toc.yml").write_text(TOC, encoding="utf-8")
    monkeypatch.setattr(milestones, "PROJECT", tmp_path)
    return tmp_path


def test_chapters_are_in_the_order_of_the_book(project: Path) -> None:
    names = [each.notebook.stem for each in all_chapters()]
    assert names == ["hello", "00_a", "look_closer", "and_again", "01_b", "02_c"]
    assert [(each.after, each.name) for each in all_interludes()] == [
        *((-1, "hello"), (0, "look_closer"), (0, "and_again")),
    ]
    assert all(each.notebook.is_file() for each in all_chapters())


def test_a_chapter_is_found_by_number_or_name(project: Path) -> None:
    assert chapter("1") == milestone(1)
    found = chapter("look-closer")
    assert found == chapter("look_closer")
    assert isinstance(found, Interlude)
    assert found.title == "look_closer"
    with pytest.raises(TutorialError, match="no milestone 7 yet"):
        chapter("7")
    for unknown in ("train", "01_b", "", "-1"):
        with pytest.raises(TutorialError, match=r"no interlude \(hello, look_closer, and_again\)"):
            chapter(unknown)


def test_a_project_without_a_book_has_milestones_alone(project: Path) -> None:
    (project / "_toc.yml").unlink()
    assert all_interludes() == []
    assert all_chapters() == all_milestones()
