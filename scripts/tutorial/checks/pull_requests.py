"""Milestone 6: a person approved what is live, the gate stopped a change, a stranger got nothing, and back is near."""

import json
import time
import zipfile
from datetime import datetime
from itertools import chain
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tutorial import traces
from tutorial.approvals import (
    TRAIN,
    approval_of,
    came_to_base,
    event_of,
    last_training,
    local_github,
)
from tutorial.checks.instrumented_training import fallback_of
from tutorial.checks.items import Item, Probe
from tutorial.checks.s3 import seen_by
from tutorial.errors import TutorialError
from tutorial.github.artifacts import archive_of, artifacts_of
from tutorial.github.people import JOBS
from tutorial.github.pulls import comments_of, list_pulls
from tutorial.github.repository import OWNER
from tutorial.github.run_context import gets_secrets, token_permissions
from tutorial.github.store import Row, Store
from tutorial.github.vault import Vault
from tutorial.github.workflow import read_workflow
from tutorial.tracking.api import TrackingApi, Version

MARKER = "<!-- model report -->"  # how the comment of scripts/post_report.py begins
COMPARES = "### Champion and challenger"
CLIENT = "APP_CLIENT_ID"
JUDGES = "gate"  # the job of train.yml that has the last word
ARTIFACT, RECORD = "model", "record.json"
LARGEST = 1_000_000  # bytes of a record
SECONDS = 60  # that going back may take


def one_comment_compares(probe: Probe) -> str:
    """The newest merged pull request that was trained has one comment of the App, on its last commit."""
    with local_github(probe.home) as store:
        login = _login_of_the_app(store)
        pull = _trained_and_merged(store)
        found = [
            comment
            for comment in comments_of(store, pull["id"])
            if comment["body"].startswith(MARKER)
        ]
    where = f"pull request #{pull['id']}"
    for comment in found:
        if comment["author"] != login:
            raise TutorialError(f"{comment['author']} reports on {where}, not {login}.")
    if len(found) != 1:
        raise TutorialError(f"{login} has {len(found)} comments with a report on {where}.")
    text = found[0]["body"]
    if pull["head_sha"] not in text.partition("\n\n## ")[0]:
        raise TutorialError(f"The report on {where} is not on its last commit.")
    if COMPARES not in text:
        raise TutorialError(f"The comment on {where} compares no champion and challenger.")
    return f"{login} compares commit {pull['head_sha'][:12]} with the champion on {where}, once"


def _login_of_the_app(store: Store) -> str:
    client = Vault(store.state).variables().get(CLIENT)
    apps = store.rows("SELECT slug FROM apps WHERE client_id = ?", client)
    if not apps:
        raise TutorialError(f"The variable {CLIENT} names no App.")
    return f"{apps[0]['slug']}[bot]"


def _trained_and_merged(store: Store) -> Row:
    merged = [pull for pull in list_pulls(store, "closed") if pull["merged"] is not None]
    for pull in sorted(merged, key=lambda each: -float(each["merged"])):
        if last_training(store, pull):
            return pull
    raise TutorialError("No pull request that trained a model was merged.")


def the_champion_was_approved(probe: Probe) -> str:
    """The champion's version names a merged pull request that its promoter approved, and it is live."""
    version, card = TrackingApi(probe.home).champion(), probe.app.card()
    with local_github(probe.home) as store:
        approval = approval_of(store, version)
    live = (card.get("version"), card.get("digest"), card.get("fallback"))
    if live != (version.number, version.tags.get("model_digest"), False):
        raise TutorialError(
            f"The app serves version {card.get('version')} of {card.get('uri')}, and version "
            f"{version.number} is champion."
        )
    who = " and ".join(approval.people)
    return f"version {version.number} is live; {who} approved pull request #{approval.number}"


def what_was_reviewed_is_live(probe: Probe) -> str:
    """The champion's run had the input that the last training of its pull request had."""
    api = TrackingApi(probe.home)
    version = api.champion()
    with local_github(probe.home) as store:
        number = approval_of(store, version).number
        reviewed = _input_reviewed(store, approval_of(store, version).pull)
    promoted = api.run(version.run_id).tags.get("input_digest", "none that it tells")
    if promoted != reviewed:
        raise TutorialError(
            f"Version {version.number} was made from input {promoted[:12]}; {reviewed[:12]} was "
            f"reviewed in pull request #{number}."
        )
    return f"input {promoted[:12]}, in pull request #{number} and in version {version.number}"


def _input_reviewed(store: Store, pull: Row) -> str:
    run = last_training(store, pull)
    if run is None:
        raise TutorialError(f"Nothing was trained for pull request #{pull['id']}.")
    if run["conclusion"] != "success":
        raise TutorialError(f"Run {run['id']}, its last training, ended as {run['conclusion']}.")
    kept = [one for one in artifacts_of(store, run["id"]) if one["name"] == ARTIFACT]
    if not kept:
        raise TutorialError(f"Run {run['id']} has no artifact {ARTIFACT}.")
    try:
        with zipfile.ZipFile(archive_of(store, kept[0])) as archive, archive.open(RECORD) as file:
            said = json.loads(file.read(LARGEST + 1)[:LARGEST])
        return str(said["input_digest"])
    except Exception:  # a stranger may have made it
        raise TutorialError(f"The artifact {ARTIFACT} of run {run['id']} has no record.") from None


def the_gate_stopped_a_change(probe: Probe) -> str:
    """Of the pull requests whose last training the gate refused none was merged, and there is one."""
    refused = []
    with local_github(probe.home) as store:
        for pull in list_pulls(store, "all"):
            run = last_training(store, pull)
            if run is None or run["conclusion"] != "failure":
                continue
            if pull["merged"] is not None or came_to_base(store, pull, pull["head_sha"]):
                raise TutorialError(f"Run {run['id']} refused pull request #{pull['id']}: merged.")
            jobs = {job["key"]: job["conclusion"] for job in store.jobs(run["id"])}
            judged = [one for key, one in jobs.items() if key != JUDGES]
            if jobs.get(JUDGES) == "failure" and set(judged) == {"success"}:
                refused.append((pull["id"], run["id"]))
    if not refused:
        raise TutorialError("The gate has refused nothing yet, so nobody has seen it say no.")
    number, by = refused[0]
    return f"pull request #{number}: its model was trained, run {by} said no, main never got it"


def a_stranger_got_nothing(probe: Probe) -> str:
    """What runs of forks' pull requests left holds no secret of today's, and their tokens could only read.

    What a job could have read on this machine is not asked here, and cannot be told.
    """
    with local_github(probe.home) as store:
        secrets, words = traces.sought(store)
        if not secrets:
            raise TutorialError("The repository has no secret, so none could have got out.")
        runs = _of_strangers(store)
        if not runs:
            raise TutorialError("No pull request from a fork has run anything yet.")
        caused = [*runs, *_started_by(store, runs)]
        for run in caused:
            if run["status"] != "completed":
                raise TutorialError(f"Run {run['id']} is not over: wait for its end.")
        for run in runs:
            _could_only_read(store, run)
        left = (traces.left_by(store, run) for run in caused)
        if found := traces.find(secrets, chain(*left, traces.said_of_pulls(store))):
            raise TutorialError(f"{found}.")
        if store.rows("SELECT id FROM comments WHERE author = ?", JOBS):
            raise TutorialError(f"A job's own token has written a comment, as {JOBS}.")
    besides = f" ({', '.join(words)}: in the repository's files, so no secret)" if words else ""
    return (
        f"runs of forks' pull requests: {len(runs)}, whose tokens could read alone; of {len(secrets)} "
        f"secrets none in logs and artifacts of {len(caused)} runs, and none in a comment{besides}"
    )


def _of_strangers(store: Store) -> list[Row]:
    """Return the runs that a pull request from a fork started."""
    theirs = {pull["id"] for pull in list_pulls(store, "all") if pull["head_owner"] != OWNER}
    began = (run for run in store.runs() if run["event"] == "pull_request")
    return [run for run in began if event_of(run).get("number") in theirs]


def _started_by(store: Store, runs: list[Row]) -> list[Row]:
    """Return the runs of main's workflows that these runs started when they ended."""
    ids = {run["id"] for run in runs}
    after = (run for run in store.runs() if run["event"] == "workflow_run")
    return [run for run in after if event_of(run).get("workflow_run", {}).get("id") in ids]


def _could_only_read(store: Store, run: Row) -> None:
    """Raise `TutorialError` where a run had secrets, or one of its jobs a token that is more than to read.

    A token is gone when its job ends. What it may do the workflow and the event say, and both are kept.
    """
    if gets_secrets(event := event_of(run)):
        raise TutorialError(f"Run {run['id']} of a fork was run as one that may have secrets.")
    jobs, given = store.jobs(run["id"]), []
    if jobs:
        workflow = read_workflow(run["source"], run["file"])
        given = [
            token_permissions(job.permissions, workflow.permissions, event)
            for job in workflow.jobs.values()
        ]
    for job in jobs:
        owner, now = str(job["id"]), time.time()
        query = "SELECT permissions, expires FROM tokens WHERE kind = 'job' AND owner = ?"
        for token in store.rows(query, owner):
            given.append(json.loads(token["permissions"]))
            if token["expires"] > now:
                raise TutorialError(f"The token of run {run['id']}, which is over, is good still.")
    writes = sorted({name for each in given for name, level in each.items() if level == "write"})
    if writes:
        raise TutorialError(f"A token of run {run['id']} of a fork may write: {', '.join(writes)}.")


def somebody_went_back(probe: Probe) -> str:
    """A version was taken back, another is champion, and that took seconds."""
    api = TrackingApi(probe.home)
    champion = api.champion()
    taken_back = [
        version
        for version in api.versions()
        if version.tags.get("rolled_back_by") and version.tags.get("rolled_back_at")
    ]
    if not taken_back:
        raise TutorialError("No version was ever taken back.")
    last = max(taken_back, key=lambda version: version.tags["rolled_back_at"])
    if last.number == champion.number:
        raise TutorialError(f"Version {last.number} was taken back, and is champion again.")
    seconds, by = _how_long(probe, last, champion)
    if seconds > SECONDS:
        raise TutorialError(f"Going back from version {last.number} took {seconds:.0f} s.")
    who, when = (last.tags[f"rolled_back_{name}"] for name in ("by", "at"))
    return f"{who} took version {last.number} back, {when}; {by}, {max(seconds, 1):.0f} s later"


def _how_long(probe: Probe, last: Version, champion: Version) -> tuple[float, str]:
    """Return the seconds until the champion answered, or else until its copy lay ready, and what did."""
    began = _time(last.tags["rolled_back_at"])
    card = probe.app.card()
    if card.get("version") == champion.number and card.get("since"):
        seconds = (_time(card["since"]) - began).total_seconds()
        if 0 <= seconds <= SECONDS:
            return seconds, f"the app answered with version {champion.number}"
    # The app may have been started again since; the bucket keeps when going back was done.
    bucket, key = fallback_of(probe)
    later = [
        (version["LastModified"] - began).total_seconds()
        for version in _versions(seen_by(probe, "admin"), bucket, key)
        if version["LastModified"] >= began
    ]
    if not later:
        raise TutorialError(f"Nothing tells how long going back from version {last.number} took.")
    return min(later), f"its copy s3://{bucket}/{key} was in its place"


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise TutorialError(f"{text!r} is no time.") from None


def _versions(s3: Any, bucket: str, key: str) -> list[dict[str, Any]]:
    try:
        listed = s3.list_object_versions(Bucket=bucket, Prefix=key).get("Versions", [])
    except (BotoCoreError, ClientError) as error:
        raise TutorialError(
            f"s3://{bucket}/{key} cannot be had ({type(error).__name__})."
        ) from None
    return [version for version in listed if version["Key"] == key]


ITEMS = [
    Item(
        "A merged pull request has one report, by the App",
        "Look at the run of Report in `tutorial actions`, and at report.yml.",
        one_comment_compares,
    ),
    Item(
        "The champion came by a pull request that its promoter approved",
        "Approve it as somebody else, merge it, and wait for the run of Promote.",
        the_champion_was_approved,
    ),
    Item(
        "What is champion is what was reviewed",
        "Update the pull request from main, and let it be trained and approved again.",
        what_was_reviewed_is_live,
    ),
    Item(
        "What the gate refused was not merged",
        "Run the cells of the pull request that looks better by luck.",
        the_gate_stopped_a_change,
    ),
    Item(
        "A stranger's runs left no secret, plain or in base64, and their tokens could only read",
        f"Look at `permissions` and `secrets` in {TRAIN}. That a job cannot read this machine's files is "
        "not claimed: only GitHub's fresh machine keeps it from that.",
        a_stranger_got_nothing,
    ),
    Item(
        "A bad champion was taken back in seconds",
        "Run scripts/promote.py --rollback --wait with the app's address.",
        somebody_went_back,
    ),
]
