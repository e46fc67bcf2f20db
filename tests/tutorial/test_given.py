"""Files that are given: the right ones, whole or not at all, into the workspace and nowhere else."""

import ast
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutorial.errors import TutorialError
from tutorial.given import TEMPLATES, give_file, key_lines, source_of
from tutorial.home import PROJECT, Home


def test_a_given_file_is_the_project_s_own_to_the_byte(home: Home) -> None:
    lines = give_file("app/data.py", home)
    original = (PROJECT / "app" / "data.py").read_bytes()
    assert (home.workspace / "app" / "data.py").read_bytes() == original
    assert lines == original.count(b"\n")
    assert [path.name for path in (home.workspace / "app").iterdir()] == ["data.py"]


@pytest.mark.parametrize("name", ["README.md", ".gitignore"])
def test_a_template_wins_over_the_project_s_file(home: Home, name: str) -> None:
    give_file(name, home)
    template = (TEMPLATES / name.lstrip(".")).read_text()
    assert (home.workspace / name).read_text() == template
    assert template != (PROJECT / name).read_text()


def test_a_file_given_again_is_as_new(home: Home) -> None:
    give_file("app/data.py", home)
    (home.workspace / "app" / "data.py").write_text("spoiled")
    give_file("app/data.py", home)
    assert (home.workspace / "app" / "data.py").read_text() != "spoiled"


def test_a_copy_that_fails_half_way_leaves_the_file_as_it_was(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a file of the reader's, and a disk that is full after some bytes
    (home.workspace / "app").mkdir(parents=True)
    (home.workspace / "app" / "data.py").write_text("mine")

    def half(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", half)
    # When it is given
    with pytest.raises(OSError, match="No space"):
        give_file("app/data.py", home)
    # Then the file is the reader's still, and no half of another would be committed
    assert (home.workspace / "app" / "data.py").read_text() == "mine"
    assert [path.name for path in (home.workspace / "app").iterdir()] == ["data.py"]


@pytest.mark.parametrize("path", ["app/nothing.py", "app", "", "app/data.pyc", "x/y"])
def test_what_is_not_there_is_one_sentence(home: Home, path: str) -> None:
    with pytest.raises(TutorialError, match=r"There is no file .* look at the spelling"):
        give_file(path, home)
    assert not home.workspace.exists() or not list(home.workspace.iterdir())


@pytest.mark.parametrize(
    "path",
    [
        "../outside.txt",
        f"../{PROJECT.name}/LICENSE",
        f"app/../../{PROJECT.name}/LICENSE",
        str(PROJECT / "LICENSE"),
        "/etc/passwd",
    ],
    ids=["above", "above and back", "down, above and back", "absolute", "foreign"],
)
def test_a_path_out_of_the_workspace_is_refused(home: Home, path: str) -> None:
    (home.root).mkdir(parents=True)
    (home.root / "outside.txt").write_text("outside")
    before = sorted(home.root.rglob("*"))
    with pytest.raises(TutorialError):
        give_file(path, home)
    files = [p for p in sorted(home.root.rglob("*")) if p.is_file()]
    assert files == [p for p in before if p.is_file()]


@pytest.mark.parametrize("path", ["app/data.py", "notebooks/00_zero_ops.ipynb"])
def test_a_source_is_a_file_of_the_project(path: str) -> None:
    assert source_of(path) == PROJECT / path


# --- key lines

FUNCTION = "@decorated\ndef wanted(a: int) -> int:\n    return a"
CLASS = 'class Wanted:\n    """Meaning."""\n\n    field: int = 0'
COROUTINE = "async def wanted() -> None:\n    return None"


@pytest.mark.parametrize("definition", [FUNCTION, CLASS, COROUTINE])
def test_key_lines_are_those_of_the_definition_and_its_decorators(
    definition: str,
) -> None:
    name = "Wanted" if "Wanted" in definition else "wanted"
    source = f"import os\n\n\n{definition}\n\n\ndef other() -> None:\n    pass\n"
    assert key_lines(source, name) == definition


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_key_lines_are_found_after_any_text(text: str) -> None:
    # A text with separators of its own, as some editors and languages have them.
    before = f"TEXT = {text!r}\n# {' '.join(text.split())}\nLONG = '''\x0c\u2028\x85'''\n"
    ast.parse(before)
    assert key_lines(f"{before}{FUNCTION}\n", "wanted") == FUNCTION


def test_key_lines_of_a_name_that_is_not_there_are_one_sentence() -> None:
    with pytest.raises(TutorialError, match="no function or class build"):
        key_lines("building = 1\n", "build")
