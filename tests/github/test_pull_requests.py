"""Pull requests: what they start, what follows a push, who may merge, what a fork gets."""

import json
import subprocess
from pathlib import Path

import pytest
from proposals import REPORT, STEPS, Proposals
from rehearsal import Rehearsal, log, workflow
from waiting import until

from tutorial.github import movement
from tutorial.github.conversation import add_labels, add_review, remove_label
from tutorial.github.events import queue_after
from tutorial.github.merging import merge_ref
from tutorial.github.movement import merge_pull, settle
from tutorial.github.people import Actor, person
from tutorial.github.protection import mergeable_state
from tutorial.github.pulls import change_pull, find_pull, list_pulls, open_pull
from tutorial.github.refusals import RefusalError
from tutorial.github.repository import NOTHING

READER, MAINTAINER = person("reader"), person("maintainer")


@pytest.fixture
def proposals(rehearsal: Rehearsal) -> Proposals:
    return Proposals(rehearsal)


def payload(proposals: Proposals, run: int) -> dict[str, object]:
    found: dict[str, object] = json.loads(proposals.store.run(run)["payload"])
    return found


def test_a_pull_request_runs_on_its_merge_with_the_base_whatever_the_base_does_meanwhile(
    proposals: Proposals,
) -> None:
    proposals.branch("topic", {"params.yaml": "C: 2\n"})
    later = proposals.branch("main", {"later.txt": "of main\n"})
    pull, queued = open_pull(proposals.store, READER, "Try 2", "topic")
    (run,) = queued.runs
    row = proposals.store.run(run)
    assert (row["event"], row["ref"], row["head_branch"]) == (
        "pull_request",
        "refs/pull/1/merge",
        "topic",
    )
    assert row["head_sha"] == pull["head_sha"] != row["sha"] == pull["merge_sha"]
    merge = proposals.repository.commit(row["sha"])
    assert merge.parents == (later, pull["head_sha"])
    details = proposals.rehearsal.execute(run)
    assert details["conclusion"] == "success"
    assert log(details, 2) == ["README.md", "later.txt", "params.yaml"]
    # Fetched as on GitHub, moved by nobody
    git = proposals.rehearsal.git
    git("fetch", "--quiet", "origin", "refs/pull/1/head", "refs/pull/1/merge")
    command = ["git", "push", "origin", "HEAD:refs/pull/1/head"]
    push = subprocess.run(command, cwd=proposals.rehearsal.reader, capture_output=True, text=True)
    assert push.returncode
    assert "hidden ref" in push.stderr


def test_what_the_event_says(proposals: Proposals) -> None:
    pull, queued = proposals.propose()
    event = payload(proposals, queued.runs[0])
    assert (event["action"], event["number"]) == ("opened", 1)
    said = event["pull_request"]
    assert isinstance(said, dict)
    assert said["number"] == 1 != said["id"]
    assert said["head"]["ref"] == "topic"
    assert said["head"]["sha"] == pull["head_sha"]
    assert said["base"]["repo"]["full_name"] == "reader/workspace"
    assert said["head"]["repo"]["fork"] is False
    queued = proposals.again()
    assert proposals.workflows(queued) == ["Train"]
    event = payload(proposals, queued.runs[0])
    assert event["action"] == "synchronize"
    assert event["before"] == pull["head_sha"]
    assert event["after"] == find_pull(proposals.store, 1)["head_sha"]


def test_a_change_of_other_files_starts_nothing_even_if_main_changed_those_meanwhile(
    proposals: Proposals,
) -> None:
    proposals.branch("topic", {"README.md": "Good day\n"})
    proposals.branch("main", {"params.yaml": "C: 9\n"})
    _, queued = open_pull(proposals.store, READER, "Words", "topic")
    assert queued.runs == ()
    assert "none of the 3 workflows" in str(queued.reason)


def test_a_conflict_runs_nothing_and_cannot_be_merged_until_it_is_mended(
    proposals: Proposals,
) -> None:
    proposals.branch("topic", {"params.yaml": "C: 2\n"})
    proposals.branch("main", {"params.yaml": "C: 3\n"})
    pull, queued = open_pull(proposals.store, READER, "Try", "topic")
    assert "conflicts" in str(queued.reason)
    assert mergeable_state(proposals.store, proposals.repository, pull) == "dirty"
    with pytest.raises(RefusalError, match="not mergeable: it conflicts") as refused:
        merge_pull(proposals.store, 1, READER)
    assert refused.value.status == 405
    assert proposals.main() == pull["base_sha"]
    proposals.rehearsal.git("merge", "--quiet", "-X", "theirs", pull["head_sha"])
    (queued,) = proposals.move("topic", proposals.rehearsal.git("rev-parse", "HEAD"))
    assert proposals.workflows(queued) == ["Train"]
    state = mergeable_state(proposals.store, proposals.repository, find_pull(proposals.store, 1))
    assert state == "unstable"  # its run has not ended


def test_merging_moves_main_and_runs_its_push_with_the_merge_commit(proposals: Proposals) -> None:
    pull, _ = proposals.propose()
    other, _ = proposals.propose("other", {"README.md": "Hi\n"})
    before = proposals.main()
    merged, queued = merge_pull(proposals.store, 1, READER, sha=pull["head_sha"])
    assert proposals.workflows(queued) == ["Promote"]
    run = proposals.store.run(queued.runs[0])
    assert run["sha"] == run["head_sha"] == merged["merge_sha"] == proposals.main()
    commit = proposals.repository.commit(proposals.main())
    assert commit.parents == (before, pull["head_sha"])
    assert commit.title == "Merge pull request #1 from reader/topic"
    assert (merged["state"], merged["merged_by"], merged["merging"]) == ("closed", "reader", None)
    # The other one's trial has the new base
    trial = proposals.repository.resolve(merge_ref(2))
    assert proposals.repository.commit(trial).parents == (proposals.main(), other["head_sha"])
    with pytest.raises(RefusalError, match="it is merged"):
        merge_pull(proposals.store, 1, READER)
    with pytest.raises(RefusalError, match="cannot be opened again"):
        change_pull(proposals.store, 1, READER, state="open")


def test_squashing_makes_one_commit_of_the_authors(proposals: Proposals) -> None:
    proposals.branch("topic", {"params.yaml": "C: 2\n"}, "stranger", "First")
    proposals.branch("topic", {"params.yaml": "C: 3\n"}, "stranger", "Second")
    open_pull(proposals.store, person("stranger"), "Two steps", "stranger:topic")
    before = proposals.main()
    merge_pull(proposals.store, 1, MAINTAINER, "squash")
    commit = proposals.repository.commit(proposals.main())
    assert commit.parents == (before,)
    assert commit.message == "Two steps (#1)\n\n* First\n* Second"
    assert commit.author == "stranger"


def test_a_head_that_has_moved_is_not_merged(proposals: Proposals) -> None:
    pull, _ = proposals.propose()
    proposals.branch("topic", {"params.yaml": "C: 666\n"})
    with pytest.raises(RefusalError, match="Head branch was modified") as refused:
        merge_pull(proposals.store, 1, READER, sha=pull["head_sha"])
    assert refused.value.status == 409
    assert find_pull(proposals.store, 1)["state"] == "open"


def test_a_fork_gets_no_secret_and_a_token_that_reads(proposals: Proposals) -> None:
    steps = """
        - run: echo "[$SECRET] [$GITHUB_TOKEN] [${{ github.event.pull_request.head.repo.fork }}]"
        - run: env | grep -c VALUE
    """
    extra = "permissions: write-all\nenv: {SECRET: '${{ secrets.KEY }}'}"
    attack = workflow(steps, "Attack", extra).replace("on: push", "on: pull_request")
    proposals.rehearsal.vault.set_secret("KEY", "VALUE-of-the-secret")
    pull, queued = proposals.propose("evil", {"attack.yml": attack}, "stranger")
    assert pull["head_owner"] == "stranger"
    (run,) = queued.runs
    details = proposals.rehearsal.execute(run)
    assert log(details, 1)[0] == "[] [] [true]"
    assert log(details, 2)[0] == "0"
    event = payload(proposals, run)
    assert event["sender"]["login"] == "stranger"  # type: ignore[index]


def test_a_fork_is_followed_and_what_follows_its_runs_is_mains(proposals: Proposals) -> None:
    _, queued = proposals.propose("topic", owner="stranger")
    assert proposals.workflows(queued) == ["Train"]
    proposals.branch(
        "topic",
        {"params.yaml": "C: 5\n", "report.yml": REPORT.replace("name: Report", "name: Stolen")},
        "stranger",
    )
    (queued,) = proposals.queued
    details = proposals.rehearsal.execute(queued.runs[0])
    assert details["conclusion"] == "success"
    run = proposals.store.run(queued.runs[0])
    (after,) = queue_after(proposals.store, proposals.repository, run, "completed")
    row = proposals.store.run(after)
    assert (row["workflow"], row["sha"]) == ("Report", proposals.main())
    told = payload(proposals, after)["workflow_run"]
    assert isinstance(told, dict)
    assert told["head_sha"] == find_pull(proposals.store, 1)["head_sha"]
    assert told["head_branch"] == "topic"
    assert told["head_repository"]["owner"]["login"] == "stranger"
    assert told["conclusion"] == "success"
    assert told["pull_requests"] == []  # as on GitHub


def test_a_run_of_a_branch_names_its_pull_request_to_what_follows(proposals: Proposals) -> None:
    pull, queued = proposals.propose()
    run = proposals.store.run(queued.runs[0])
    (after,) = queue_after(proposals.store, proposals.repository, run, "completed")
    told = payload(proposals, after)["workflow_run"]
    assert isinstance(told, dict)
    (named,) = told["pull_requests"]
    assert (named["number"], named["head"]["sha"]) == (1, pull["head_sha"])


def test_a_label_is_an_event_once(proposals: Proposals) -> None:
    labelled = workflow(STEPS, "Labelled").replace(
        "on: push", "on: {pull_request: {types: [labeled]}}"
    )
    proposals.propose("topic", {"labelled.yml": labelled})
    runs = len(proposals.store.runs())
    for _ in range(2):
        add_labels(proposals.store, 1, ["same-quality"], MAINTAINER)
    (run,) = proposals.store.runs()[: len(proposals.store.runs()) - runs]
    event = payload(proposals, run["id"])
    assert event["label"]["name"] == "same-quality"  # type: ignore[index]
    assert remove_label(proposals.store, 1, "same-quality", MAINTAINER) == []
    with pytest.raises(RefusalError, match="does not exist"):
        remove_label(proposals.store, 1, "same-quality", MAINTAINER)
    with pytest.raises(RefusalError, match="takes a maintainer"):
        add_labels(proposals.store, 1, ["same-quality"], person("stranger"))


def test_what_a_jobs_token_does_starts_nothing(proposals: Proposals) -> None:
    job = Actor("github-actions[bot]", dict.fromkeys(("contents", "pull_requests"), "write"))
    with pytest.raises(RefusalError, match="not permitted to create or approve"):
        open_pull(proposals.store, job, "x", "main")
    proposals.propose()
    with pytest.raises(RefusalError, match="not permitted to approve"):
        add_review(proposals.store, 1, "APPROVE", "", job)
    runs = len(proposals.store.runs())
    merge_pull(proposals.store, 1, job)
    assert len(proposals.store.runs()) == runs


def test_a_pull_request_that_is_closed_while_it_runs_is_not_disturbed_by_it(
    proposals: Proposals,
) -> None:
    pull, queued = proposals.propose()
    _, closing = change_pull(proposals.store, 1, READER, state="closed")
    assert proposals.workflows(closing) == []
    details = proposals.rehearsal.execute(queued.runs[0])
    assert details["conclusion"] == "success"
    with pytest.raises(RefusalError, match="it is closed"):
        merge_pull(proposals.store, 1, READER)
    proposals.branch("topic", {"params.yaml": "C: 4\n"})
    assert proposals.queued == []
    reopened, queued = change_pull(proposals.store, 1, READER, state="open")
    assert proposals.workflows(queued) == ["Train"]
    assert reopened["head_sha"] != pull["head_sha"]


def test_a_branch_that_is_removed_closes_its_pull_request(proposals: Proposals) -> None:
    proposals.propose()
    proposals.move("topic", NOTHING)
    assert find_pull(proposals.store, 1)["state"] == "closed"
    with pytest.raises(RefusalError, match="is gone: push it again"):
        change_pull(proposals.store, 1, READER, state="open")


def test_who_pushes_the_commits_to_main_has_merged_it(proposals: Proposals) -> None:
    pull, _ = proposals.propose()
    proposals.move("main", pull["head_sha"])
    found = find_pull(proposals.store, 1)
    assert (found["state"], found["merge_sha"]) == ("closed", pull["head_sha"])
    assert found["merged"]


@pytest.mark.parametrize("place", ["_finish", "_mark_merged", "queue_push", "_tell_closed"])
def test_what_was_cut_off_is_finished(
    proposals: Proposals, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    pull, _ = proposals.propose()
    text = workflow(STEPS, "Other").replace("on: push", "on: pull_request")
    proposals.propose("other", {"other.yml": text})

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(movement, place, die)
        with pytest.raises(KeyboardInterrupt):
            merge_pull(proposals.store, 1, READER)
        # A push of which nobody heard
        patch.setattr("proposals.pushed", lambda *_: [])
        sha = proposals.branch("other", {"README.md": "Hi\n"})
    assert find_pull(proposals.store, 1)["merging"]
    for _ in range(2):
        settle(proposals.store)
        merged = find_pull(proposals.store, 1)
        assert merged["merge_sha"] == proposals.main()
        assert (merged["state"], merged["merged_by"]) == ("closed", "reader")
        runs = [run for run in proposals.store.runs() if run["workflow"] == "Promote"]
        assert [run["head_sha"] for run in runs] == [proposals.main(), pull["base_sha"]]
        other = find_pull(proposals.store, 2)
        assert (other["head_sha"], other["base_sha"]) == (sha, proposals.main())
        ran = [run["head_sha"] for run in proposals.store.runs() if run["workflow"] == "Other"]
        assert len(ran) == 2
        assert ran[0] == sha
    # And the hook that was late after all
    assert proposals.move("other", sha)[0].runs == ()


@pytest.mark.parametrize(
    ("head", "base", "words"),
    [
        ("nowhere", "main", "Validation Failed"),
        ("topic~1", "main", "Validation Failed"),
        ("-x", "main", "Validation Failed"),
        ("nobody:topic", "main", "Validation Failed"),
        ("../x:topic", "main", "Validation Failed"),
        ("topic", "main~0", "Validation Failed"),
        ("topic", "nowhere", "Validation Failed"),
        ("main", "main", "No commits between main and main"),
        ("taken", "main", "A pull request already exists for reader:taken."),
    ],
)
def test_what_cannot_be_proposed(proposals: Proposals, head: str, base: str, words: str) -> None:
    proposals.branch("topic", {"a": "1"})
    proposals.propose("taken")
    with pytest.raises(RefusalError, match="Validation Failed") as refused:
        open_pull(proposals.store, READER, "x", head, base)
    assert refused.value.status == 422
    assert words in str(refused.value)
    assert len(list_pulls(proposals.store, "all")) == 1


def test_an_older_run_of_the_group_makes_way(proposals: Proposals, tmp_path: Path) -> None:
    rehearsal = proposals.rehearsal
    slow = workflow(
        '- run: touch "$STATE/$GITHUB_RUN_ID"; while test ! -e "$STATE/go"; do sleep 0.05; done',
        "Slow",
        f"env: {{STATE: '{tmp_path}'}}\n"
        "concurrency: {group: '${{ github.ref }}', cancel-in-progress: true}",
    ).replace("on: push", "on: pull_request")
    rehearsal.start_runner()
    _, queued = proposals.propose("topic", {"slow.yml": slow})
    (first,) = queued.runs
    until((tmp_path / str(first)).exists, "the first run starts")
    proposals.branch("topic", {"README.md": "Again\n"})
    (second,) = proposals.queued[0].runs
    assert rehearsal.ended(first)["conclusion"] == "cancelled"
    (tmp_path / "go").touch()
    assert rehearsal.ended(second)["conclusion"] == "success"


def test_pull_request_target_is_refused_in_a_sentence(proposals: Proposals) -> None:
    text = workflow(STEPS).replace("on: push", "on: pull_request_target")
    _, queued = proposals.propose("topic", {"target.yml": text})
    problems = [proposals.store.run(run)["problem"] for run in queued.runs]
    assert any("`pull_request_target` is not supported" in str(one) for one in problems)
