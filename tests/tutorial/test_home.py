"""Where state is kept."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutorial.home import PROJECT, Home


def test_tutorial_home_moves_all_state(tmp_path: Path) -> None:
    home = Home.current({"TUTORIAL_HOME": str(tmp_path / "elsewhere")})
    assert home.root == tmp_path / "elsewhere"
    assert home.workspace == tmp_path / "elsewhere" / "workspace"


def test_without_it_state_is_in_the_project() -> None:
    home = Home.current({})
    assert (home.root, home.workspace) == (PROJECT / ".tutorial", PROJECT / "workspace")


def test_a_relative_home_and_a_tilde_are_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Home.current({"TUTORIAL_HOME": "mine"}).root == tmp_path / "mine"
    person = Path(os.environ["HOME"])
    assert Home.current({"TUTORIAL_HOME": "~/mine"}).root == person / "mine"


def test_a_process_of_a_home_has_the_same_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Home.current(home.environment()) == home
    # The one in the project's folder too, whatever this process's environment says.
    default = Home.current({})
    assert Home.current(default.environment()) == default


def test_a_record_is_recalled_until_it_is_forgotten(home: Home) -> None:
    home.record("app", {"url": "http://127.0.0.1:1", "pid": 1})
    assert home.recall("app") == {"url": "http://127.0.0.1:1", "pid": 1}
    assert [path.name for path in home.root.iterdir()] == ["app.json"]
    home.forget("app")
    assert home.recall("app") is None
    home.forget("app")  # nothing to forget is no error


@given(content=st.binary() | st.text().map(str.encode) | st.just(b"[1]"))
def test_a_record_that_was_spoiled_is_none(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = Home(tmp_path_factory.getbasetemp(), Path("workspace"))
    (home.root / "spoiled.json").write_bytes(content)
    assert home.recall("spoiled") is None or content.strip().startswith(b"{")
