"""The audit: eight questions that somebody will ask of a model in production, put to what runs.

An answer counts only with evidence, a value that was read from the running system. Else nobody can tell.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tutorial.approvals import Approval, approval_of, local_github
from tutorial.deployed import DeployedApp, Platform
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.pipeline import WORKFLOW, WayBack, deploy_runs, last_way_back
from tutorial.serving import RunningApp, running_app
from tutorial.tracking.api import Run, TrackingApi


@dataclass(frozen=True)
class Witness:
    """What the audit can ask: the card of the app that is live, the platform, the runs that deploy, MLflow.

    Each is None where nobody answers; without a platform the app is the one that a person started.
    `training` is the run that trained the live model, or the reason why MLflow does not tell of it;
    `approval` is what the local GitHub knows of its review, or the reason why it tells of none.
    """

    card: dict[str, Any] | None
    deployed: DeployedApp | None = None
    way_back: WayBack | None = None
    training: Run | str = ""
    approval: Approval | str = ""


@dataclass(frozen=True)
class Answer:
    """A question, its answer or None for "nobody can tell", and the evidence or why there is none."""

    question: str
    answer: str | None
    evidence: str


Said = tuple[str | None, str]


def _of_the_card(fact: str, why_not: str) -> Callable[[Witness], Said]:
    """Answer by a fact that the live app's card proves."""

    def ask(witness: Witness) -> Said:
        if witness.card is None:
            return None, "no app answers"
        value, run = witness.card.get(fact), witness.card.get("run")
        told = f"GET /model: {fact}, registered by run {run}" if run else f"GET /model: {fact}"
        return (str(value), told) if value else (None, why_not)

    return ask


def _release(witness: Witness) -> Said:
    """Answer by the platform's own record of the release whose app answers."""
    if witness.deployed is None:
        return None, "no platform keeps releases"
    if witness.card is None:
        return None, "a release is current, and its app does not answer"
    return witness.deployed.who, f"GET /apps/{witness.deployed.name}/releases: current"


def _model(witness: Witness) -> Said:
    """Answer by the version that the source keeps, with the digest of what was loaded from it."""
    version, why_not = _of_the_card("version", "a file: any other may have taken its name")(witness)
    if witness.card is None or version is None:
        return None, why_not
    digest = str(witness.card["digest"])[:12]
    return f"model {digest}, version {version} of {witness.card['uri']}", "GET /model: version"


def _rebuilt(witness: Witness) -> Said:
    """Answer by what the live model's run says of the last time that somebody made it again."""
    if witness.card is None:
        return None, "no app answers"
    if not witness.card.get("run"):
        return None, "no record to rebuild it from"
    run = witness.training
    if isinstance(run, str):
        return None, run
    if run.tags.get("git_commit", "").endswith("-dirty"):
        return None, f"run {run.run_id} used code that was never committed, so nobody can"
    again, who, when = (run.tags.get(f"rebuilt_{name}") for name in ("digest", "by", "at"))
    if not (again and who and when):
        return None, f"nobody has rebuilt run {run.run_id} yet"
    live = str(witness.card["digest"])
    if again != live:
        return None, f"{who} rebuilt run {run.run_id}: model {again[:12]}, and {live[:12]} is live"
    answer = f"{who} did, {when}: the same model, {again[:12]}"
    return answer, f"MLflow, run {run.run_id}: rebuilt_digest, and GET /model: digest"


def _reviewed(witness: Witness) -> Said:
    """Answer by what the live version says of its promotion, where the reviews on GitHub agree."""
    if witness.card is None:
        return None, "no app answers"
    if not witness.card.get("run"):
        return None, "no review took place"
    approval = witness.approval
    if isinstance(approval, str):
        return None, approval
    who, number = " and ".join(approval.people), approval.number
    told = f"MLflow, version {witness.card['version']}: promoted_by, promoted_why"
    return (
        f"{who} approved pull request #{number}, {approval.pull['title']!r}",
        f"{told}; GitHub, pull request #{number}: reviews of its last commit",
    )


def _way_back(witness: Witness) -> Said:
    """Answer by the log of a run that went back: anybody can do again what it did."""
    way_back = witness.way_back
    if way_back is None:
        return None, "no run has gone back yet"
    how = f"by a new release that is like a former one: {way_back.new} like {way_back.old}"
    return f"{how}, live in {way_back.seconds} s", f"run {way_back.run} of {WORKFLOW!r}: its log"


QUESTIONS: list[tuple[str, Callable[[Witness], Said]]] = [
    ("What is live, since when, released by whom?", _release),
    ("Which model is it?", _model),
    ("Which data trained it?", _of_the_card("data", "no record of the training")),
    ("Which code trained it?", _of_the_card("code", "no record of the training")),
    (
        "How good is it on reviews it never saw?",
        _of_the_card("accuracy", "measured, not recorded"),
    ),
    ("Can somebody else rebuild it?", _rebuilt),
    ("Who reviewed the change?", _reviewed),
    (
        "How do we go back, and how long did it take?",
        _way_back,
    ),
]


def _witness(home: Home) -> Witness:
    try:
        deployed = Platform(home).deployed()
    except TutorialError:
        deployed = None
    app = RunningApp(deployed.web_url, home) if deployed else running_app(home)
    try:
        card = app.card() if app else None
    except TutorialError:
        card = None
    way_back = last_way_back(deploy_runs(home))
    return Witness(card, deployed, way_back, _training(home, card), _approval(home, card))


def _training(home: Home, card: dict[str, Any] | None) -> Run | str:
    """Return the run that the card names, as MLflow tells of it, or why it does not."""
    try:
        return TrackingApi(home).run(str(card["run"])) if card and card.get("run") else ""
    except TutorialError as error:
        return str(error)


def _approval(home: Home, card: dict[str, Any] | None) -> Approval | str:
    """Return who approved the version that the card names, or why nobody can tell."""
    if not card or not card.get("run"):
        return ""
    number = str(card.get("version"))
    try:
        for version in TrackingApi(home).versions():
            if (version.number, version.run_id) == (number, card["run"]):
                with local_github(home) as store:
                    return approval_of(store, version)
    except TutorialError as error:
        return str(error)
    return f"MLflow knows no version {number} of run {card['run']}."


def audit(home: Home) -> list[Answer]:
    """Put the eight questions to the running system."""
    witness = _witness(home)
    return [Answer(question, *ask(witness)) for question, ask in QUESTIONS]
