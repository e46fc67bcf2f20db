"""The milestones are the notebooks whose names begin with two digits."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_notebook import text, write_notebook

from tutorial.errors import TutorialError
from tutorial.milestones import Milestone, all_milestones, milestone


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
