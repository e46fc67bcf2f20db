"""`tutorial actions` lists runs, and shows one."""

import json

import pytest
from rehearsal import Rehearsal, workflow

from tutorial.errors import TutorialError
from tutorial.github.commands import actions


def test_no_run_yet(capsys: pytest.CaptureFixture[str]) -> None:
    actions()
    assert "There is no run yet" in capsys.readouterr().out
    actions(as_json=True)
    assert json.loads(capsys.readouterr().out) == []
    for identity, watch in ((1, False), (None, True)):
        with pytest.raises(TutorialError, match="There is no run yet: push"):
            actions(identity, watch=watch)


def test_runs_and_one_run(rehearsal: Rehearsal, capsys: pytest.CaptureFixture[str]) -> None:
    details = rehearsal.run_steps("- {name: 'Say [red]', run: echo said; exit 2}")
    actions()
    table = capsys.readouterr().out
    assert "Test" in table
    assert "failure" in table
    actions(1)
    shown = capsys.readouterr().out
    assert "Say [red]: failure" in shown
    assert "    said\n" in shown
    actions(as_json=True)
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["conclusion"] == "failure"
    assert listed["commit"] == rehearsal.git("rev-parse", "HEAD")
    actions(1, as_json=True)
    assert json.loads(capsys.readouterr().out) == details
    with pytest.raises(TutorialError, match="There is no run 7"):
        actions(7)


def test_a_run_is_watched_to_its_end(
    rehearsal: Rehearsal, capsys: pytest.CaptureFixture[str]
) -> None:
    rehearsal.start_runner()
    rehearsal.commit({"w.yml": workflow("- run: sleep 0.3\n- run: exit 1")})
    rehearsal.receive()
    with pytest.raises(TutorialError, match="Run 1 ended as failure"):
        actions(watch=True)
    assert "Run 1 of Test: failure" in capsys.readouterr().out
    rehearsal.commit({"w.yml": workflow("- run: echo")})
    rehearsal.receive()
    actions(2, watch=True, as_json=True)
    assert json.loads(capsys.readouterr().out)["conclusion"] == "success"
