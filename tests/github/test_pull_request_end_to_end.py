"""A stranger proposes, a job without secrets tries, an App comments once, a maintainer approves, main goes live."""

from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import pytest
from proposals import Proposals
from rehearsal import DOWNLOAD, SETUP_PYTHON, UPLOAD, Rehearsal
from rest_client import serving
from test_job_tokens import APP_ACTION
from waiting import until

from tutorial.github.apps import register
from tutorial.github.conversation import add_review
from tutorial.github.movement import merge_pull
from tutorial.github.people import person
from tutorial.github.pulls import comments_of

TRAIN = f"""
name: Train
on: {{pull_request: {{paths: [params.yaml]}}}}
permissions: {{contents: read}}
jobs:
  train:
    runs-on: ubuntu-latest
    steps:
      - run: echo "0.9" > score
      - uses: {UPLOAD}
        with: {{name: report, path: score}}
"""
SCRIPT = """
import json, os, urllib.request

api, repository = os.environ["GITHUB_API_URL"], os.environ["GITHUB_REPOSITORY"]

def ask(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
    request = urllib.request.Request(f"{api}/repos/{repository}{path}", data, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)

run = json.load(open(os.environ["GITHUB_EVENT_PATH"]))["workflow_run"]
head = f"{run['head_repository']['owner']['login']}:{run['head_branch']}"
(pull,) = ask("GET", f"/pulls?head={head}&state=open")
assert pull["head"]["sha"] == run["head_sha"]
place = f"/issues/{pull['number']}/comments"
body = f"<!-- report --> score {open('got/score').read().strip()} of {run['head_sha'][:7]}"
mine = [one for one in ask("GET", place) if one["user"]["login"] == "reports[bot]"]
if mine:
    ask("PATCH", f"/issues/comments/{mine[0]['id']}", {"body": body})
else:
    ask("POST", place, {"body": body})
"""
REPORT = f"""
name: Report
on: {{workflow_run: {{workflows: [Train], types: [completed]}}}}
permissions: {{actions: read}}
jobs:
  report:
    runs-on: ubuntu-latest
    steps:
      - uses: {SETUP_PYTHON}
        with: {{python-version: "3.11"}}
      - uses: {DOWNLOAD}
        with:
          name: report
          path: got
          run-id: ${{{{ github.event.workflow_run.id }}}}
          github-token: ${{{{ github.token }}}}
      - uses: {APP_ACTION}
        id: app
        with:
          client-id: ${{{{ vars.APP_CLIENT_ID }}}}
          private-key: ${{{{ secrets.APP_PRIVATE_KEY }}}}
          permission-pull-requests: write
      - env: {{TOKEN: '${{{{ steps.app.outputs.token }}}}'}}
        run: |
          cat > report.py <<'END'
{indent(SCRIPT, " " * 10)}
          END
          python report.py
"""


@pytest.fixture
def proposals(rehearsal: Rehearsal, tmp_path: Path) -> Iterator[Proposals]:
    with serving(rehearsal.state):
        app = register(rehearsal.store, "Reports", {"pull_requests": "write"})
        rehearsal.vault.set_variable("APP_CLIENT_ID", app.client_id)
        rehearsal.vault.set_secret("APP_PRIVATE_KEY", app.private_key)
        rehearsal.start_runner()
        yield Proposals(rehearsal, train=TRAIN, report=REPORT)


def test_from_a_strangers_idea_to_main(proposals: Proposals) -> None:
    store = proposals.store

    def reported(sha: str) -> bool:
        return any(sha[:7] in one["body"] for one in comments_of(store, 1))

    pull, queued = proposals.propose("idea", {"params.yaml": "C: 2\n"}, "stranger")
    assert proposals.workflows(queued) == ["Train"]
    until(lambda: reported(pull["head_sha"]), "the App comments")
    sha = proposals.branch("idea", {"params.yaml": "C: 3\n"}, "stranger")
    until(lambda: reported(sha), "the App brings its comment up to date")
    (comment,) = comments_of(store, 1)
    assert comment["author"] == "reports[bot]"
    assert comment["body"] == f"<!-- report --> score 0.9 of {sha[:7]}"
    add_review(store, 1, "APPROVE", "", person("maintainer"))
    merged, queued = merge_pull(store, 1, person("reader"), sha=sha)
    assert proposals.workflows(queued) == ["Promote"]
    details = proposals.rehearsal.ended(queued.runs[0])
    assert (details["conclusion"], details["commit"]) == ("success", merged["merge_sha"])
    until(lambda: not store.rows("SELECT * FROM tokens"), "every token has ended")
