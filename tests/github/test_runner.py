"""Pushes that a runner's runs follow, and what is left when something is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from rehearsal import CHECKOUT, Rehearsal, workflow
from waiting import until

from tutorial.github import runner
from tutorial.github.events import queue_after
from tutorial.github.site import TRACKING, tracking_prefix

# Says in a file that it runs, then waits until another file is there.
WAITS = """
- run: touch "$STATE/started-$GITHUB_RUN_ID"; while test ! -e "$STATE/go"; do sleep 0.05; done
"""


def waiting_workflow(rehearsal: Rehearsal, name: str = "Waits", extra: str = "") -> str:
    return workflow(WAITS, name, f"env: {{STATE: '{rehearsal.reader.parent}'}}\n{extra}")


def has_started(rehearsal: Rehearsal, run: int) -> None:
    until((rehearsal.reader.parent / f"started-{run}").exists, f"run {run} starts")


def let_go(rehearsal: Rehearsal) -> None:
    (rehearsal.reader.parent / "go").touch()


def said(push: "subprocess.CompletedProcess[str]") -> list[str]:
    """What the hook said to who pushed."""
    lines = push.stderr.splitlines()
    return [line.removeprefix("remote: ").rstrip() for line in lines if line.startswith("remote:")]


def processes_of_jobs(rehearsal: Rehearsal) -> list[psutil.Process]:
    """The processes of jobs of this test's runners, and of no other cloud on this machine."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(TRACKING, "").startswith(tracking_prefix(rehearsal.state)):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def test_a_push_is_followed_to_its_end(rehearsal: Rehearsal) -> None:
    rehearsal.start_runner()
    rehearsal.vault.set_secret("KEY", "very-secret")
    steps = (
        f"- uses: {CHECKOUT}\n- run: echo fine\n"
        "- {name: Tests, run: 'echo line $KEY; exit 3', env: {KEY: '${{ secrets.KEY }}'}}\n"
    )
    rehearsal.commit({"w.yml": workflow(steps, "Deploy")}, "A bad change")
    push = rehearsal.push()
    assert push.returncode == 0
    lines = said(push)
    assert lines[0] == "Run 1 of Deploy is queued: A bad change"
    assert [line.split(" (")[0] for line in lines[1:5]] == [
        "  one",
        "    + Run actions/checkout",
        "    + Run echo fine",
        "    x Tests",
    ]
    assert lines[5:8] == [
        "      $ echo line $KEY; exit 3",
        "      line ***",
        "      Error: the script ended with exit status 3.",
    ]
    assert lines[-1].startswith("Run 1 of Deploy: failure after ")
    assert rehearsal.git("rev-parse", "HEAD") == rehearsal.repository.resolve("main")


def test_a_push_is_accepted_whatever_its_workflows_are(rehearsal: Rehearsal) -> None:
    rehearsal.commit({"bad.yml": "on: push\njobs:\n  a:\n    stepz: []\n"})
    push = rehearsal.push()
    assert push.returncode == 0
    assert "bad.yml:4: `stepz` is not known in `a`" in said(push)[-1]
    rehearsal.git("rm", "--quiet", ".github/workflows/bad.yml")
    rehearsal.commit({"a.txt": "x"})
    assert said(rehearsal.push()) == [
        "The commit has no workflow in .github/workflows: nothing runs."
    ]


def test_the_hook_needs_nothing_of_who_pushes(rehearsal: Rehearsal, tmp_path: Path) -> None:
    # A poor PATH, hooks switched off in the person's own settings, and variables of another git.
    rehearsal.start_runner()
    rehearsal.commit({"w.yml": workflow(f"- uses: {CHECKOUT}\n- run: git log -1 --format=%s")})
    (tmp_path / "person" / ".gitconfig").write_text("[core]\n\thooksPath = /nowhere\n")
    command = ["git", "-c", "core.hooksPath=/nowhere", "push", "origin", "main"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "person"), "PYTHONPATH": "/x"}
    push = subprocess.run(
        command, cwd=rehearsal.reader, env=environment, capture_output=True, text=True
    )
    assert said(push)[-1].startswith("Run 1 of Test: success")


def test_an_interrupted_push_leaves_the_run_going_and_another_may_come(
    rehearsal: Rehearsal,
) -> None:
    rehearsal.start_runner()
    rehearsal.commit({"w.yml": waiting_workflow(rehearsal)})
    command = ["git", "push", "--quiet", "origin", "main"]
    with subprocess.Popen(
        command, cwd=rehearsal.reader, stderr=subprocess.DEVNULL, start_new_session=True
    ) as push:
        has_started(rehearsal, 1)
        os.killpg(push.pid, signal.SIGINT)
    assert rehearsal.store.run(1)["status"] == "in_progress"
    # A push while a run is on
    rehearsal.commit({"w.yml": workflow("- run: echo", "Quick")})
    assert said(rehearsal.push())[-1].startswith("Run 2 of Quick: success")
    assert rehearsal.store.run(1)["status"] == "in_progress"
    let_go(rehearsal)
    assert rehearsal.ended(1)["conclusion"] == "success"


def test_a_push_without_a_runner_is_queued_for_the_next(rehearsal: Rehearsal) -> None:
    rehearsal.commit({"w.yml": workflow("- run: echo")})
    (identity,) = rehearsal.receive().runs
    rehearsal.start_runner()
    assert rehearsal.ended(identity)["conclusion"] == "success"


def test_a_runner_that_is_killed_leaves_a_cancelled_run_and_nothing_else(
    rehearsal: Rehearsal,
) -> None:
    process = rehearsal.start_runner()
    job = "environment: production"
    steps = WAITS.replace("touch", "setsid sleep 1000 & touch")
    text = workflow(steps, extra=f"env: {{STATE: '{rehearsal.reader.parent}'}}", job=job)
    rehearsal.commit({"w.yml": text})
    rehearsal.receive()
    has_started(rehearsal, 1)
    started = processes_of_jobs(rehearsal)
    assert len(started) >= 3
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    # Another waits meanwhile
    rehearsal.commit({"w.yml": workflow("- run: echo", "Next")})
    rehearsal.receive()
    rehearsal.start_runner()
    assert not any(process.is_running() for process in started)
    cut = rehearsal.ended(1)
    assert cut["conclusion"] == "cancelled"
    assert cut["problem"] == "The runner ended while this run was on."
    assert cut["jobs"][0]["conclusion"] == "cancelled"
    assert cut["jobs"][0]["steps"][0]["conclusion"] == "cancelled"
    assert cut["deployments"][0]["state"] == "failure"
    assert rehearsal.ended(2)["conclusion"] == "success"
    until(lambda: not list((rehearsal.state / "work").iterdir()), "the clones are removed")


def test_the_steps_of_a_killed_runner_end_without_another(rehearsal: Rehearsal) -> None:
    process = rehearsal.start_runner()
    rehearsal.commit({"w.yml": waiting_workflow(rehearsal)})
    rehearsal.receive()
    has_started(rehearsal, 1)
    started = processes_of_jobs(rehearsal)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    until(lambda: not any(process.is_running() for process in started), "a step goes on", 10)


def test_a_runner_that_is_stopped_cancels_what_is_on(rehearsal: Rehearsal) -> None:
    process = rehearsal.start_runner()
    steps = WAITS + "- {if: always(), run: sleep 1000}"
    rehearsal.commit(
        {"w.yml": workflow(steps, extra=f"env: {{STATE: '{rehearsal.reader.parent}'}}")}
    )
    rehearsal.receive()
    has_started(rehearsal, 1)
    process.terminate()
    assert process.wait(15) == 0
    run = rehearsal.ended(1)
    assert (run["conclusion"], run["problem"]) == (
        "cancelled",
        "The runner was stopped while this run was on.",
    )
    assert not processes_of_jobs(rehearsal)


def test_one_runs_and_one_waits_in_a_concurrency_group(rehearsal: Rehearsal) -> None:
    rehearsal.start_runner()
    extra = "concurrency: {group: production, cancel-in-progress: false}"
    for number in range(1, 4):
        text = waiting_workflow(rehearsal, f"Number {number}", extra)
        rehearsal.commit({"w.yml": text})
        rehearsal.receive()
        if number == 1:
            has_started(rehearsal, 1)
    replaced = rehearsal.ended(2)
    assert replaced["conclusion"] == "cancelled"
    assert "newer one waits" in replaced["problem"]
    assert rehearsal.store.run(1)["status"] == "in_progress"
    assert rehearsal.store.run(3)["status"] == "pending"
    let_go(rehearsal)
    assert rehearsal.ended(1)["conclusion"] == "success"
    assert rehearsal.ended(3)["conclusion"] == "success"
    first, third = rehearsal.store.run(1), rehearsal.store.run(3)
    assert third["started"] >= first["started"]
    assert rehearsal.store.jobs(3)[0]["started"] >= first["finished"] - 0.5


def test_cancel_in_progress_cancels_the_one_that_runs(rehearsal: Rehearsal) -> None:
    rehearsal.start_runner()
    extra = "concurrency: {group: 'ci-${{ github.ref }}', cancel-in-progress: true}"
    rehearsal.commit({"w.yml": waiting_workflow(rehearsal, extra=extra)})
    rehearsal.receive()
    has_started(rehearsal, 1)
    rehearsal.commit({"w.yml": workflow("- run: echo", extra=extra)})
    rehearsal.receive()
    assert rehearsal.ended(1)["conclusion"] == "cancelled"
    assert rehearsal.ended(2)["conclusion"] == "success"


def test_jobs_of_one_group_do_not_run_side_by_side(rehearsal: Rehearsal) -> None:
    rehearsal.start_runner()
    for name in ("A", "B"):
        text = workflow(
            WAITS, name, f"env: {{STATE: '{rehearsal.reader.parent}'}}", "concurrency: Live"
        )
        rehearsal.commit({"w.yml": text})
        rehearsal.receive()
        if name == "A":
            has_started(rehearsal, 1)
    until(lambda: rehearsal.store.jobs(2), "the second run begins")
    assert rehearsal.store.jobs(2)[0]["status"] == "queued"
    let_go(rehearsal)
    assert rehearsal.ended(2)["conclusion"] == "success"
    assert rehearsal.store.jobs(2)[0]["started"] >= rehearsal.store.jobs(1)[0]["finished"]


def test_a_run_starts_those_that_wait_for_its_workflow(rehearsal: Rehearsal) -> None:
    rehearsal.start_runner()
    after = workflow(
        "- run: echo ${{ github.event.workflow_run.conclusion }} ${{ github.event.workflow_run.id }}",
        "After",
    ).replace("on: push", "on: {workflow_run: {workflows: [First, After], types: [completed]}}")
    rehearsal.commit({"first.yml": workflow("- run: exit 1", "First"), "after.yml": after})
    rehearsal.receive()
    assert rehearsal.ended(1)["conclusion"] == "failure"
    # A workflow that waits for itself does not go on for ever, as on GitHub.
    until(lambda: len(rehearsal.store.runs()) == 4, "the runs that follow")
    details = rehearsal.ended(2)
    assert details["event"] == "workflow_run"
    assert "failure 1" in details["jobs"][0]["steps"][0]["log"].splitlines()
    last = rehearsal.store.run(4)
    assert queue_after(rehearsal.store, rehearsal.repository, last, "completed") == []
    assert rehearsal.ended(4)["conclusion"] == "success"


def test_a_run_can_be_cancelled(rehearsal: Rehearsal) -> None:
    rehearsal.start_runner()
    rehearsal.commit({"w.yml": waiting_workflow(rehearsal)})
    rehearsal.receive()
    has_started(rehearsal, 1)
    rehearsal.store.ask_to_cancel(1)
    assert rehearsal.ended(1)["conclusion"] == "cancelled"


def test_two_homes_live_side_by_side(rehearsal: Rehearsal, tmp_path: Path) -> None:
    other = Rehearsal(tmp_path / "other" / "github", tmp_path / "other" / "reader")
    try:
        for one in (rehearsal, other):
            one.start_runner()
            one.commit({"w.yml": waiting_workflow(one)})
            one.receive()
            has_started(one, 1)
        other.close()  # ends its runner, and leaves the other's steps alone
        assert rehearsal.store.run(1)["status"] == "in_progress"
        let_go(rehearsal)
        assert rehearsal.ended(1)["conclusion"] == "success"
    finally:
        other.close()


def test_a_second_runner_of_one_home_is_refused(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rehearsal.start_runner()
    monkeypatch.setattr(runner, "PATIENCE", 0.2)
    monkeypatch.setattr(sys, "argv", ["runner", "--state", str(rehearsal.state)])
    assert runner.main() == 1
    assert "Another runner serves" in capsys.readouterr().err
