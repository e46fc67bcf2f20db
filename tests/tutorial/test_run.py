"""`tutorial run` on notebooks that are small: what it executes, reports, and where it stops."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_notebook import cells_of, printed, text, write_notebook

from tutorial import milestones
from tutorial.home import Home

Command = Callable[..., Any]
# What lab.check and lab.audit leave, left without them.
CHECKED = """
import json, os, pathlib
home = pathlib.Path(os.environ["TUTORIAL_HOME"])
(home / "check-{0}.json").write_text(json.dumps({{"passed": 2, "total": 3}}))
(home / "audit-{0}.json").write_text(json.dumps({{"answered": 1, "of": 8}}))
"""


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the notebooks of a project of its own, without one yet."""
    monkeypatch.setattr(milestones, "PROJECT", tmp_path / "project")
    return tmp_path / "project" / "notebooks"


def test_a_milestone_is_executed_and_reported(
    notebooks: Path, home: Home, tutorial: Command
) -> None:
    here = "import pathlib; print(pathlib.Path.cwd().name)"
    write_notebook(notebooks / "00_a.ipynb", text("# Milestone 0: A"), CHECKED.format(0), here)
    said = tutorial("run", "--json")
    assert said.status == 0
    result = json.loads(said.out)
    assert set(result) == {"ok", "seconds", "milestones"}
    assert result["ok"] is True
    [milestone] = result["milestones"]
    assert milestone.pop("seconds") == result["seconds"] > 0
    checks, audit = {"passed": 2, "total": 3}, {"answered": 1, "of": 8}
    assert milestone == {"milestone": 0, "checks": checks, "audit": audit}
    executed = cells_of(home.root / "executed" / "00_a.ipynb")
    assert printed(executed[2]) == "scratch\n"


def test_the_first_failure_ends_the_run_with_one_sentence(
    notebooks: Path, tutorial: Command
) -> None:
    # Given a notebook that fails, and one after it
    write_notebook(notebooks / "00_a.ipynb", text("# Milestone 0: A"), "1 / 0")
    write_notebook(notebooks / "01_b.ipynb", text("# Milestone 1: B"), CHECKED.format(1))
    # When all are run
    said = tutorial("run", "--json")
    # Then the second is not executed, and the first is told of
    assert said.status == 1
    result = json.loads(said.out)
    assert result["ok"] is False
    assert [m["milestone"] for m in result["milestones"]] == [0]
    sentence = said.err.splitlines()[-1]
    assert sentence.startswith("00_a.ipynb stopped: cell 2 ('1 / 0') raised ZeroDivisionError")
    assert "Traceback" not in said.err


def test_a_notebook_without_a_check_does_not_pass(
    notebooks: Path, home: Home, tutorial: Command
) -> None:
    # Given a check that passed in an earlier run, and a notebook that has lost it
    home.record("check-0", {"passed": 5, "total": 5})
    write_notebook(notebooks / "00_a.ipynb", text("# Milestone 0: A"), "1 + 1")
    said = tutorial("run", "0")
    assert said.status == 1
    assert "ran to its end without a lab.check(0)" in said.err


@pytest.fixture
def interlude(notebooks: Path) -> Path:
    """The notebook of an interlude after milestone 0, named by the book."""
    write_notebook(notebooks / "00_a.ipynb", text("# Milestone 0: A"), CHECKED.format(0))
    write_notebook(notebooks / "01_b.ipynb", text("# Milestone 1: B"), CHECKED.format(1))
    toc = "parts: [{chapters: [{file: notebooks/00_a}, {file: notebooks/look_closer}]}]"
    (notebooks.parent / "_toc.yml").write_text(toc, encoding="utf-8")
    return write_notebook(notebooks / "look_closer.ipynb", text("# Look closer"), "1 + 1")


def test_an_interlude_has_its_turn_and_needs_no_check(
    interlude: Path, home: Home, tutorial: Command
) -> None:
    said = tutorial("run", "--json")
    assert said.status == 0
    result = json.loads(said.out)
    assert [each["milestone"] for each in result["milestones"]] == [0, 1]
    [looked] = result["interludes"]
    assert looked.pop("seconds") > 0
    assert looked == {"interlude": "look_closer", "after": 0}
    executed = (home.root / "executed").glob("*.ipynb")
    when = sorted(executed, key=lambda path: path.stat().st_mtime_ns)
    assert [path.stem for path in when] == ["00_a", "look_closer", "01_b"]


def test_an_interlude_runs_alone_by_its_name(interlude: Path, tutorial: Command) -> None:
    said = tutorial("run", "look-closer")
    assert said.status == 0
    assert "Look closer" in said.out
    assert "0 of" not in said.out


def test_an_interlude_that_fails_fails_the_run(interlude: Path, tutorial: Command) -> None:
    write_notebook(interlude, text("# Look closer"), "1 / 0")
    said = tutorial("run", "--json")
    assert said.status == 1
    result = json.loads(said.out)
    assert result["ok"] is False
    assert [each["milestone"] for each in result["milestones"]] == [0]
    assert said.err.splitlines()[-1].startswith("look_closer.ipynb stopped: cell 2")


def test_a_milestone_that_is_not_there_is_one_sentence(tutorial: Command) -> None:
    said = tutorial("run", "7")
    assert (said.status, said.out) == (1, "")
    known = ", ".join(str(item.number) for item in milestones.all_milestones())
    assert said.err == f"There is no milestone 7 yet: choose from {known}.\n"
    said = tutorial("run", "nothing")
    assert (said.status, said.out, said.err.count("\n")) == (1, "", 1)
    assert said.err.startswith("'nothing' is no milestone's number and no interlude")
