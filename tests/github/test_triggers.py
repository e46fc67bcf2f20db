"""Which pushes start which workflows, after GitHub's filter patterns."""

import pytest
from rehearsal import Rehearsal, workflow

from tutorial.github.events import RefChange, queue_push
from tutorial.github.filters import selects
from tutorial.github.repository import NOTHING
from tutorial.github.triggers import Trigger

STEPS = "- run: echo"


@pytest.mark.parametrize(
    ("patterns", "name", "selected"),
    [
        (["main"], "main", True),
        (["main"], "Main", False),
        (["*"], "feature/a", False),
        (["**"], "feature/a", True),
        (["feature/*"], "feature/a", True),
        (["feature/*"], "feature/a/b", False),
        (["feature/**"], "feature/a/b", True),
        (["v[12].[0-9]+.[0-9]+"], "v1.10.1", True),
        (["v[12].[0-9]+.[0-9]+"], "v3.1.1", False),
        (["*.jsx?"], "page.js", True),
        (["**.js"], "src/js/app.js", True),
        (["**/docs/**"], "docs/hello.md", True),
        (["**/docs/**"], "dir/docs/my-file.txt", True),
        (["docs/**/*.md"], "docs/README.md", True),
        (["releases/**", "!releases/**-alpha"], "releases/1-alpha", False),
        (["releases/**", "!releases/**-alpha", "releases/9-alpha"], "releases/9-alpha", True),
        (["a.c"], "abc", False),
    ],
)
def test_patterns(patterns: list[str], name: str, selected: bool) -> None:
    assert selects(patterns, name) is selected


def test_filters_of_branches_and_tags() -> None:
    assert Trigger("push", {}).for_branch("x")
    assert Trigger("push", {}).for_tag("v1")
    assert not Trigger("push", {"branches": ("main",)}).for_tag("v1")
    assert not Trigger("push", {"tags": ("v*",)}).for_branch("main")
    assert Trigger("push", {"branches-ignore": ("x/**",)}).for_branch("main")
    assert not Trigger("push", {"branches-ignore": ("x/**",)}).for_branch("x/1")
    assert Trigger("push", {"paths-ignore": ("*.md",)}).for_paths(["a.md", "b.py"])
    assert not Trigger("push", {"paths-ignore": ("*.md",)}).for_paths(["a.md"])
    assert Trigger("pull_request", {}).for_type("synchronize")
    assert not Trigger("pull_request", {}).for_type("closed")


def workflows_of(rehearsal: Rehearsal, runs: tuple[int, ...]) -> list[str]:
    return [rehearsal.store.run(run)["workflow"] for run in runs]


def test_a_push_starts_the_workflows_that_its_branch_and_files_select(rehearsal: Rehearsal) -> None:
    rehearsal.commit(
        {
            "main.yml": workflow(STEPS, "Main").replace(
                "on: push", "on: {push: {branches: [main]}}"
            ),
            "app.yml": workflow(STEPS, "App").replace(
                "on: push", "on: {push: {paths: ['app/**']}}"
            ),
            "pull.yml": workflow(STEPS, "Pull").replace("on: push", "on: pull_request"),
            "app/a.py": "1",
        }
    )
    assert workflows_of(rehearsal, rehearsal.receive().runs) == ["App", "Main"]
    rehearsal.commit({"README.md": "x"})
    assert workflows_of(rehearsal, rehearsal.receive().runs) == ["Main"]
    rehearsal.commit({"app/a.py": "2"})
    # A new branch is compared with where it left main.
    assert workflows_of(rehearsal, rehearsal.receive("topic").runs) == ["App"]
    rehearsal.commit({"README.md": "y"})
    assert workflows_of(rehearsal, rehearsal.receive("topic").runs) == []


def test_a_push_that_starts_nothing_says_why(rehearsal: Rehearsal) -> None:
    rehearsal.commit({"a.txt": "x"})
    assert "no workflow in .github/workflows" in str(rehearsal.receive().reason)
    rehearsal.commit({"pull.yml": workflow(STEPS).replace("on: push", "on: pull_request")})
    assert "starts none of this commit's 1 workflows" in str(rehearsal.receive().reason)
    rehearsal.commit({"push.yml": workflow(STEPS)}, message="Quiet [skip ci]")
    assert "asks that no workflow runs" in str(rehearsal.receive().reason)
    gone = RefChange(rehearsal.git("rev-parse", "HEAD"), NOTHING, "refs/heads/x")
    assert "gone" in str(queue_push(rehearsal.store, rehearsal.repository, gone).reason)
    assert rehearsal.store.runs() == []


def test_a_workflow_that_cannot_be_read_is_a_failed_run_and_stops_no_other(
    rehearsal: Rehearsal,
) -> None:
    rehearsal.commit({"bad.yml": "on: push\njobs: [", "good.yml": workflow(STEPS, "Good")})
    bad, good = (rehearsal.store.run(run) for run in rehearsal.receive().runs)
    assert (bad["status"], bad["conclusion"]) == ("completed", "failure")
    assert bad["problem"].startswith(".github/workflows/bad.yml:2: not valid YAML")
    assert good["status"] == "queued"


def test_a_run_has_the_name_that_its_workflow_gives(rehearsal: Rehearsal) -> None:
    rehearsal.commit(
        {
            "w.yml": workflow(
                STEPS,
                extra="run-name: By ${{ github.actor }}, ${{ github.ref_name }} ${{ github.run_number }}",
            )
        }
    )
    (run,) = rehearsal.receive().runs
    assert rehearsal.store.run(run)["title"] == "By reader, main 1"
