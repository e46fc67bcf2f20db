"""Starting again loses nothing, and says where what was there is now."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_server import in_json, small_server

from tutorial.home import Home
from tutorial.workspace import Workspace

Command = Callable[..., Any]


@pytest.fixture
def workspace(home: Home) -> Workspace:
    """A workspace in which milestone 0 is finished, and one more commit is on main."""
    made = Workspace(home.workspace)
    made.prepare()
    (made.path / "mine").write_text("as milestone 0 left it")
    made.commit(0, "Zero Ops")
    (made.path / "mine").write_text("committed later")
    made.git("commit", "--quiet", "--all", "--message", "Later")
    return made


def kept_somewhere(workspace: Workspace, content: str) -> bool:
    """Tell whether a branch has `mine` with this content."""
    branches = workspace.git("branch", "--format=%(refname:short)").splitlines()
    return content in [workspace.git("show", f"{branch}:mine") for branch in branches]


def test_reset_to_a_milestone_brings_it_back(workspace: Workspace, tutorial: Command) -> None:
    said = tutorial("reset", "--to", "0")
    assert (said.status, said.err) == (0, "")
    assert "as milestone 0 left it" in said.out
    assert (workspace.path / "mine").read_text() == "as milestone 0 left it"
    assert workspace.git("branch", "--show-current") == "main"
    assert workspace.git("status", "--porcelain") == ""


def test_reset_to_a_milestone_keeps_what_was_not_committed_and_says_where(
    workspace: Workspace, tutorial: Command
) -> None:
    (workspace.path / "mine").write_text("not committed")
    (workspace.path / "new").write_text("not even added")
    said = tutorial("reset", "--to", "0")
    branch = re.findall(r"yours/[\w-]+", said.out)[0]
    assert workspace.git("show", f"{branch}:mine") == "not committed"
    assert workspace.git("show", f"{branch}:new") == "not even added"
    assert not (workspace.path / "new").exists()


def test_reset_to_a_milestone_keeps_what_was_committed_after_it_and_says_where(
    workspace: Workspace, tutorial: Command
) -> None:
    said = tutorial("reset", "--to", "0")
    assert kept_somewhere(workspace, "committed later")
    former = re.findall(r"it was at (\w+)", said.out)[0]
    assert workspace.git("show", f"{former}:mine") == "committed later"


def test_reset_keeps_main_when_the_reader_is_elsewhere(
    workspace: Workspace, tutorial: Command
) -> None:
    # Given a reader who went to look at how it was
    workspace.git("checkout", "--quiet", "milestone-0")
    # When they reset to it
    tutorial("reset", "--to", "0")
    # Then what was on main is on a branch still
    assert kept_somewhere(workspace, "committed later")


def test_reset_to_a_milestone_that_was_never_finished_is_one_sentence(
    workspace: Workspace, tutorial: Command
) -> None:
    before = workspace.git("for-each-ref")
    said = tutorial("reset", "--to", "3")
    assert (said.status, said.out) == (1, "")
    assert said.err == "Milestone 3 was never finished here: run it first.\n"
    assert workspace.git("for-each-ref") == before


def test_reset_puts_the_workspace_away_whole_and_says_where(
    workspace: Workspace, home: Home, tutorial: Command
) -> None:
    (workspace.path / "mine").write_text("not committed")
    home.record("check-0", {"passed": 5, "total": 5})
    (home.root / "executed").mkdir()
    said = tutorial("reset")
    assert (said.status, said.err) == (0, "")
    place = Path(re.findall(r"is in (\S+):", said.out)[0])
    assert (place / "mine").read_text() == "not committed"
    assert Workspace(place).tagged(0)
    assert [path.name for path in home.root.iterdir()] == ["old"]


def test_reset_twice_keeps_both(workspace: Workspace, home: Home, tutorial: Command) -> None:
    tutorial("reset")
    workspace.prepare()
    tutorial("reset")
    assert len(list((home.root / "old").iterdir())) == 2


def test_reset_without_a_workspace_says_so(tutorial: Command) -> None:
    said = tutorial("reset")
    assert (said.status, said.out) == (0, "There is no workspace: nothing to reset.\n")


@pytest.mark.parametrize("arguments", [(), ("--to", "0")])
def test_reset_leaves_a_folder_of_somebody_alone(
    home: Home, tutorial: Command, arguments: tuple[str, ...]
) -> None:
    home.workspace.mkdir(parents=True)
    (home.workspace / "thesis.txt").touch()
    said = tutorial("reset", *arguments)
    assert said.status == 1
    assert said.err.endswith("is not a workspace of this tutorial: it is left alone.\n")
    assert (home.workspace / "thesis.txt").exists()


@pytest.mark.parametrize("arguments", [(), ("--to", "0")])
def test_reset_refuses_while_the_app_runs(
    workspace: Workspace, home: Home, tutorial: Command, arguments: tuple[str, ...]
) -> None:
    with small_server({"/model": in_json({"checked": "now"})}) as server:
        home.record("app", {"url": server.url, "pid": os.getpid()})
        said = tutorial("reset", *arguments)
    assert said.status == 1
    assert said.err.startswith("The app is running: close the notebook")
    assert (workspace.path / "mine").read_text() == "committed later"
