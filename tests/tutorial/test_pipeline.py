"""What the runs of the workflow prove: milestone 3's check, the audit's last answer, its exercises."""

import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tutorial import cloud, pipeline
from tutorial.audit import audit
from tutorial.checks import CHECKS, Item, Probe
from tutorial.checks import continuous_deployment as check
from tutorial.cloud.services import github_state
from tutorial.deployed import DeployedApp
from tutorial.errors import TutorialError
from tutorial.exercises import LEAK, LEAKY_WORKFLOW, find_the_leak, stop_a_bad_change
from tutorial.github.masking import Masker
from tutorial.github.repository import prepare
from tutorial.home import PROJECT, Home
from tutorial.pipeline import deploy_runs, last_way_back
from tutorial.serving import RunningApp
from tutorial.workspace import Workspace

LIVE, TESTED, BACK, SECRET, READS = CHECKS[3]
KEY = "the-key-of-the-platform"
GOING_BACK = """v12 (Deploy 432c1ccc) is released. Does it answer?
v12 does not serve: its web dyno is crashed. Its log:
Going back.
v13 (Rollback to v11) is released. Does it answer?
v13 serves, after 7.8 s: http://127.0.0.1:5100/
"""


def run_of(number: int, test: str, deploy: str, log: str = "", commit: str = "abcdef0") -> Any:
    """A finished run as the local GitHub tells of it."""
    jobs = [
        {"key": "test", "conclusion": test, "steps": [{"log": "455 passed"}]},
        {"key": "deploy", "conclusion": deploy, "steps": [{"log": "Fetched"}, {"log": log}]},
    ]
    ended = "success" if (test, deploy) == ("success", "success") else "failure"
    return {"id": number, "conclusion": ended, "commit": commit * 6, "jobs": jobs}


GOOD = run_of(4, "success", "success")
WENT_BACK = run_of(3, "success", "failure", GOING_BACK)
STOPPED = run_of(2, "failure", "skipped")


@pytest.fixture
def probe(home: Home, monkeypatch: pytest.MonkeyPatch) -> Probe:
    """A probe of a workspace with the workflow, whose app is live with the last run's commit."""
    monkeypatch.setattr(cloud, "environment", lambda home: {"HEROKU_API_KEY": KEY})
    monkeypatch.setattr(check, "environment", lambda home: {"HEROKU_API_KEY": KEY})
    workspace = Workspace(home.workspace)
    workspace.prepare()
    file = home.workspace / check.FILE
    file.parent.mkdir(parents=True)
    file.write_bytes((PROJECT / check.FILE).read_bytes())
    workspace.commit(3, "Continuous deployment")
    made = Probe(home, RunningApp("http://127.0.0.1:1", home))
    release = {"version": 14, "description": "Deploy abcdef0a"}
    dyno = {"name": "web.1", "state": "up", "release": {"version": 14}}
    vars(made)["deployed"] = DeployedApp("reviews", "", release, [dyno])
    return made


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the local GitHub tell of these runs, the newest first."""

    def tell(*told: Any) -> None:
        monkeypatch.setattr(check, "deploy_runs", lambda home: list(told))

    return tell


def says_no(item: Item, probe: Probe, words: str) -> None:
    with pytest.raises(TutorialError, match=words):
        item.probe(probe)


def test_three_runs_as_the_chapter_makes_them_hold(probe: Probe, runs: Callable[..., None]) -> None:
    runs(GOOD, WENT_BACK, STOPPED)
    seen = [item.probe(probe) for item in CHECKS[3]]
    assert "run 4 released commit abcdef0" in seen[0]
    assert "run 2" in seen[1]
    assert "back to v11 in 7.8 s" in seen[2]


def test_without_a_run_nothing_holds(probe: Probe, runs: Callable[..., None]) -> None:
    runs()
    for item in (LIVE, TESTED, BACK, SECRET):
        says_no(item, probe, "No push has run")


def test_a_last_push_that_failed_is_noticed(probe: Probe, runs: Callable[..., None]) -> None:
    runs(WENT_BACK, GOOD)
    says_no(LIVE, probe, "Run 3, the newest, ended as failure")


def test_another_commit_that_is_live_is_noticed(probe: Probe, runs: Callable[..., None]) -> None:
    runs(run_of(5, "success", "success", commit="1234567"))
    says_no(LIVE, probe, "Run 5 deployed 1234567; 'Deploy abcdef0a' is live")


def test_tests_that_never_failed_have_proved_nothing(
    probe: Probe, runs: Callable[..., None]
) -> None:
    runs(GOOD, WENT_BACK)
    says_no(TESTED, probe, "nobody has seen them stop a deploy")


def test_a_deploy_in_spite_of_failed_tests_is_noticed(
    probe: Probe, runs: Callable[..., None]
) -> None:
    runs(run_of(6, "failure", "success"))
    says_no(TESTED, probe, "Run 6 deployed although its tests failed")


def test_runs_that_never_went_back_are_noticed(probe: Probe, runs: Callable[..., None]) -> None:
    runs(GOOD, STOPPED)
    says_no(BACK, probe, "No run has gone back yet")


def test_a_key_in_a_commit_is_noticed_even_if_it_was_removed(
    probe: Probe, runs: Callable[..., None]
) -> None:
    runs(GOOD)
    workspace = Workspace(probe.home.workspace)
    (probe.home.workspace / ".env").write_text(f"HEROKU_API_KEY={KEY}\n")
    workspace.commit(3, "With the key")
    (probe.home.workspace / ".env").unlink()
    workspace.commit(3, "Without")
    says_no(SECRET, probe, "is in a commit")


def test_a_key_in_a_log_is_noticed(probe: Probe, runs: Callable[..., None]) -> None:
    runs(run_of(7, "success", "failure", f"Bearer {KEY}"))
    says_no(SECRET, probe, "in the log of run 7")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("permissions:\n  contents: read\n", ""),
        ("  contents: read\n", "  contents: write\n"),
        ("    needs: test\n", "    needs: test\n    permissions: write-all\n"),
    ],
    ids=["none", "write", "one job"],
)
def test_a_workflow_that_may_write_is_noticed(probe: Probe, old: str, new: str) -> None:
    file = probe.home.workspace / check.FILE
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    Workspace(probe.home.workspace).commit(3, "More rights")
    says_no(READS, probe, "has permissions")


# --- what is read from the runs


def test_a_home_without_runs_has_none(home: Home) -> None:
    assert deploy_runs(home) == []


def test_a_way_back_that_was_not_seen_to_serve_is_none() -> None:
    started = GOING_BACK.replace("v13 serves, after 7.8 s", "v13 does not serve")
    assert last_way_back([run_of(3, "success", "failure", started)]) is None
    assert last_way_back([GOOD, STOPPED]) is None


def test_what_deploy_says_of_a_way_back_is_what_is_looked_for() -> None:
    script = (PROJECT / "scripts" / "deploy.py").read_text(encoding="utf-8")
    assert "({release['description']}) is released" in script
    assert " serves, after {" in script


def test_the_audit_tells_how_to_go_back_and_how_long_it_took(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tutorial.audit.deploy_runs", lambda home: [GOOD, WENT_BACK])
    last = audit(home)[-1]
    assert last.answer is not None
    assert "v13 like v11, live in 7.8 s" in last.answer
    assert last.evidence.startswith(f"run 3 of {pipeline.WORKFLOW!r}")


def test_the_workflow_is_called_what_is_looked_for() -> None:
    text = (PROJECT / check.FILE).read_text(encoding="utf-8")
    assert re.search(rf"^name: {pipeline.WORKFLOW}$", text, re.MULTILINE)


# --- the remote


def test_the_local_github_is_the_origin_unless_the_reader_has_one(home: Home) -> None:
    workspace = Workspace(home.workspace)
    workspace.prepare()
    url = prepare(github_state(home)).url
    workspace.set_origin("file:///where/it/was/before")
    workspace.set_origin(url)
    assert workspace.git("remote", "get-url", "origin") == url
    theirs = "https://github.com/somebody/my-reviews"
    workspace.git("remote", "set-url", "origin", theirs)
    workspace.set_origin(url)
    assert workspace.git("remote", "get-url", "origin") == theirs


# --- the exercises


def percent(chance: float) -> str:
    return "over 99%" if chance > 0.99 else f"{chance:.0%}"


def simpler(chance: float) -> str:
    return f"{chance:.0%}"


def in_the_middle(percent: Callable[[float], str]) -> None:
    assert percent(0.5) == "50%"


def at_the_edge(percent: Callable[[float], str]) -> None:
    assert "100" not in percent(0.9999)


def of_something_else(percent: Callable[[float], str]) -> None:
    assert percent(0.5) == "half"


def test_a_test_that_tells_the_versions_apart_solves(home: Home) -> None:
    assert "stops the bad one" in stop_a_bad_change(home, at_the_edge, percent, simpler)
    with pytest.raises(TutorialError, match="lets the bad version pass"):
        stop_a_bad_change(home, in_the_middle, percent, simpler)
    with pytest.raises(TutorialError, match="fails for the good version"):
        stop_a_bad_change(home, of_something_else, percent, simpler)


def test_the_leak_is_the_line_that_masking_does_not_know(home: Home) -> None:
    assert "Backwards" in find_the_leak(home, LEAK)
    with pytest.raises(TutorialError, match="careless"):
        find_the_leak(home, LEAK - 1)
    with pytest.raises(TutorialError, match="gives nobody the key"):
        find_the_leak(home, 1)
    # And it is so: run the lines, and mask what they print as the runner does.
    lines = LEAKY_WORKFLOW.splitlines()
    masker = Masker([KEY])
    for number in (LEAK - 1, LEAK, LEAK + 1):
        said = subprocess.run(
            ["bash", "-c", lines[number - 1].strip()],
            env={"KEY": KEY, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        masked = masker.mask(said)
        assert KEY not in masked
        assert (KEY[::-1] in masked) == (number == LEAK)
