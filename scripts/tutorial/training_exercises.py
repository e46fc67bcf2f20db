"""The exercises of milestone 5: who trained the live model, and a choice by a figure of one's own."""

import re

from tutorial.deployed import live_app
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.tracking.api import FINISHED, TrackingApi

# What the training itself, or MLflow, measures.
OURS = re.compile(
    r"test_accuracy(_.+)?|test_rows|test_log_loss|test_calibration_error|train_seconds|behaviour_.+"
    "|system/.+"
)
DIRECTIONS = {"max": max, "min": min}


def who_trained_it(home: Home, run_id: str) -> str:
    """The id of the run that trained the live model: the card names it, and MLflow tells of the same model."""
    card = live_app(home).card()
    named = card.get("run")
    if not named:
        raise TutorialError(
            f"Right now the app serves {card.get('uri')}, which names no run: wait until it serves the champion."
        )
    if not run_id:
        raise TutorialError("Give the run's id: the app's card names it, at GET /model.")
    api = TrackingApi(home)
    run = api.run(run_id)
    if run_id != named:
        newest = api.finished_runs(run.experiment)[:1]
        which = "the newest run" if newest and newest[0].run_id == run_id else "another run"
        raise TutorialError(f"That is {which}, and its model is not the one that answers.")
    if run.tags.get("model_digest") != card.get("digest"):
        raise TutorialError(
            f"The card names this run, and the model that answers, {str(card.get('digest'))[:12]}, is "
            "another: promote a version that was trained and registered by the same run."
        )
    commit = run.tags.get("git_commit", "nobody knows")[:12]
    return (
        f"Version {card.get('version')} was trained by {run.tags.get('mlflow.user', 'somebody')}, on "
        f"{run.params.get('data', 'data that nobody named')}, with the code of commit {commit}."
    )


def a_metric_of_your_own(home: Home, metric: str, run_id: str, direction: str) -> str:
    """A metric that two finished runs or more have and the training does not log, and the best run by it."""
    if direction not in DIRECTIONS:
        raise TutorialError(f"Say whether 'max' or 'min' is best, not {direction!r}.")
    if OURS.fullmatch(metric):
        raise TutorialError(f"{metric} is one that every training logs: measure something else.")
    api = TrackingApi(home)
    run = api.run(run_id)
    runs = api.finished_runs(run.experiment)
    told = {each.run_id: each.metrics[metric] for each in runs if metric in each.metrics}
    if len(told) < 2:
        raise TutorialError(
            f"{len(told)} finished runs have a metric {metric!r}, and it takes two to choose: "
            "mlflow.MlflowClient().log_metric(run_id, name, value) adds one to a run."
        )
    if len(set(told.values())) == 1:
        raise TutorialError(f"{metric} is the same in all {len(told)} runs: nothing to choose by.")
    if run_id not in told:
        why = "has no such metric" if run.status == FINISHED else "did not finish"
        raise TutorialError(f"Run {run_id} {why}.")
    best = DIRECTIONS[direction](told.values())
    if told[run_id] != best:
        raise TutorialError(
            f"{metric} of this run is {told[run_id]:.4g}, and another run has {best:.4g}."
        )
    return f"By {metric}, {best:.4g}, this run is the best of {len(told)}. Would it be, on other reviews?"
