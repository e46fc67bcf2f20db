"""The rule of a branch: which checks and whose approval a merge needs, and that no push goes past it."""

import pytest
from proposals import Proposals
from rehearsal import Rehearsal, workflow

from tutorial.github.conversation import add_review
from tutorial.github.movement import merge_pull
from tutorial.github.people import Actor, person
from tutorial.github.protection import protect, what_blocks
from tutorial.github.pulls import find_pull
from tutorial.github.refusals import RefusalError

READER, MAINTAINER = person("reader"), person("maintainer")
RULE = {
    "required_status_checks": {"strict": False, "contexts": ["one"]},
    "enforce_admins": True,
    "required_pull_request_reviews": {
        "required_approving_review_count": 1,
        "dismiss_stale_reviews": True,
    },
    "restrictions": None,
}


@pytest.fixture
def proposals(rehearsal: Rehearsal) -> Proposals:
    return Proposals(rehearsal)


def test_a_rule_asks_for_an_approval_by_another_and_a_check_of_the_last_commit(
    proposals: Proposals,
) -> None:
    store = proposals.store
    protect(store, "main", RULE, READER)
    pull, queued = proposals.propose()

    def blocks() -> list[str]:
        return what_blocks(store, proposals.repository, find_pull(store, 1))

    approval = "At least 1 approving review is required by reviewers with write access."
    progress = 'Required status check "one" is in progress.'
    assert blocks() == [approval, progress]
    for nobody in (person("stranger"), Actor("reports[bot]", {"pull_requests": "write"})):
        add_review(store, 1, "APPROVE", "", nobody)
    with pytest.raises(RefusalError, match="your own pull request"):
        add_review(store, 1, "APPROVE", "", READER)
    assert approval in blocks()
    add_review(store, 1, "APPROVE", "", MAINTAINER)
    proposals.finish(queued.runs[0], "one", "failure")
    assert blocks() == ['Required status check "one" is failing.']
    with pytest.raises(RefusalError, match="is failing"):
        merge_pull(store, 1, READER)
    # A push undoes the approval, and the check has to be made anew.
    queued = proposals.again()
    assert blocks() == [approval, progress]
    proposals.finish(queued.runs[0], "one", "success")
    add_review(store, 1, "REQUEST_CHANGES", "Why?", MAINTAINER)
    assert blocks() == ["Changes have been requested.", approval]
    add_review(store, 1, "COMMENT", "I see.", MAINTAINER)
    add_review(store, 1, "APPROVE", "", MAINTAINER)
    assert blocks() == []
    merge_pull(store, 1, READER)
    assert proposals.main() != pull["base_sha"]


def test_a_job_of_the_same_name_does_not_outshout_one_that_fails(proposals: Proposals) -> None:
    protect(proposals.store, "main", {**RULE, "required_pull_request_reviews": None}, READER)
    loud = workflow("- run: echo", "Loud").replace("on: push", "on: pull_request")
    _, queued = proposals.propose("topic", {"params.yaml": "C: 2\n", "loud.yml": loud})
    assert proposals.workflows(queued) == ["Loud", "Train"]
    proposals.finish(queued.runs[1], "one", "failure")
    proposals.finish(queued.runs[0], "one", "success")
    with pytest.raises(RefusalError, match="is failing"):
        merge_pull(proposals.store, 1, READER)


def test_a_protected_branch_takes_no_push_past_its_rule(proposals: Proposals) -> None:
    rehearsal = proposals.rehearsal
    protect(proposals.store, "main", RULE, READER)
    rehearsal.git("checkout", "--quiet", "main")
    rehearsal.commit({"README.md": "Sneaked in\n"})
    before = proposals.main()
    push = rehearsal.push()
    assert push.returncode
    assert "GH006: Protected branch update failed for refs/heads/main" in push.stderr
    assert "through a pull request" in push.stderr
    assert proposals.main() == before
    assert rehearsal.push("free").returncode == 0
    # A rule that does not bind the owner
    protect(proposals.store, "main", {**RULE, "enforce_admins": False}, READER)
    proposals.propose()
    with pytest.raises(RefusalError, match="approving"):
        merge_pull(proposals.store, 1, MAINTAINER)
    merge_pull(proposals.store, 1, READER)
    with pytest.raises(RefusalError, match="takes a maintainer"):
        protect(proposals.store, "main", RULE, MAINTAINER)
