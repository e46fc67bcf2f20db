"""The audit's question six, whether somebody can rebuild the live model, and milestone 5's exercises."""

import pytest
from trained import Trained

from app.behaviour import behave, read_cases
from app.data import read_reviews
from app.evaluation import evaluate
from app.model_file import load
from app.training_record import metrics
from tutorial import training_exercises
from tutorial.errors import TutorialError
from tutorial.exercises import EXERCISES
from tutorial.home import PROJECT
from tutorial.serving import RunningApp

WHO, OWN = EXERCISES["who trained it"], EXERCISES["a metric of your own"]


def test_a_model_that_was_rebuilt_is_answered_by_its_run(five: Trained) -> None:
    card, said = five.card(), five.audited()
    digest = card["digest"][:12]
    assert said[1].answer == f"model {digest}, version 1 of models:/sentiment@champion"
    assert [each.answer for each in said[2:5]] == [card["data"], card["code"], card["accuracy"]]
    assert {each.evidence.partition(", ")[2] for each in said[2:5]} == {
        f"registered by run {five.champion}"
    }
    assert said[5].answer == f"ada did, now: the same model, {digest}"
    assert said[5].evidence.startswith(f"MLflow, run {five.champion}: rebuilt_digest")


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"rebuilt_digest": None}, "nobody has rebuilt run"),
        ({"rebuilt_by": None}, "nobody has rebuilt run"),
        ({"rebuilt_at": None}, "nobody has rebuilt run"),
        ({"rebuilt_digest": "0" * 64}, "model 000000000000, and"),
        ({"git_commit": "c" * 40 + "-dirty"}, "never committed, so nobody can"),
    ],
    ids=["never", "by nobody", "at no time", "another model", "not committed"],
)
def test_a_model_that_was_not_is_nobodys_to_tell(
    five: Trained, tags: dict[str, str | None], why: str
) -> None:
    with five.tagged(five.champion, **tags):
        said = five.audited()[5]
    assert said.answer is None
    assert why in said.evidence


def test_a_copy_of_the_model_that_is_live_is_another_matter(five: Trained) -> None:
    said = five.audited(five.card(digest="0" * 64))[5]
    assert (said.answer, said.evidence.endswith("and 000000000000 is live")) == (None, True)


def test_a_card_without_a_run_or_with_one_that_nobody_knows(five: Trained) -> None:
    assert five.audited(five.card(run=None))[5].evidence == "no record to rebuild it from"
    assert five.audited(five.card(run="0" * 32))[5].evidence == f"MLflow knows no run '{'0' * 32}'."


# --- the exercises


@pytest.fixture
def live(five: Trained, monkeypatch: pytest.MonkeyPatch) -> RunningApp:
    """The app on the platform, which serves the champion."""
    card, app = five.card(), RunningApp("http://127.0.0.1:1", five.home)
    monkeypatch.setattr(RunningApp, "card", lambda app: card)
    monkeypatch.setattr(training_exercises, "live_app", lambda home: app)
    return app


@pytest.mark.usefixtures("live")
def test_who_trained_it_is_the_run_that_the_card_names(five: Trained) -> None:
    praise = WHO(five.home, five.champion)
    assert praise.startswith("Version 1 was trained by ")
    assert praise.endswith("on workshop, with the code of commit cccccccccccc.")
    for wrong, words in (
        ("", r"GET /model"),
        ("0" * 32, "MLflow knows no run"),
        (five.champion[:8], "MLflow knows no run"),
        (five.runs[3], "That is the newest run"),
        (five.runs[1], "That is another run"),
    ):
        with pytest.raises(TutorialError, match=words):
            WHO(five.home, wrong)


def test_an_app_that_fell_back_names_nobody(live: RunningApp, five: Trained) -> None:
    live.card().update(run=None, uri="s3://b/k")
    with pytest.raises(TutorialError, match="serves s3://b/k, which names no run"):
        WHO(five.home, five.champion)


def test_a_run_whose_model_is_not_the_live_one_trained_nothing(
    live: RunningApp, five: Trained
) -> None:
    live.card().update(digest="0" * 64)
    with pytest.raises(TutorialError, match="the model that answers, 000000000000, is another"):
        WHO(five.home, five.champion)


def test_a_metric_of_ones_own_is_chosen_by(five: Trained) -> None:
    one, two, three, four = five.runs
    with five.client() as client:
        failed = client.create_run(client.get_run(one).info.experiment_id).info.run_id
        client.log_metric(failed, "slatings_praised", 0.0)
        client.set_terminated(failed, "FAILED")

        def refused(words: str, metric: str, run_id: str, direction: str) -> None:
            with pytest.raises(TutorialError, match=words):
                OWN(five.home, metric, run_id, direction)

        client.log_metric(one, "slatings_praised", 0.2)
        refused("1 finished runs have a metric 'slatings_praised'", "slatings_praised", one, "min")
        client.log_metric(two, "slatings_praised", 0.2)
        refused("the same in all 2 runs", "slatings_praised", one, "min")
        client.log_metric(three, "slatings_praised", 0.3)
        client.log_metric(four, "slatings_praised", float("nan"))
        assert "best of 3" in OWN(five.home, "slatings_praised", one, "min")
        assert "best of 3" in OWN(five.home, "slatings_praised", two, "min")  # as good
        assert "best of 3" in OWN(five.home, "slatings_praised", three, "max")
        refused("is 0.3, and another run has 0.2", "slatings_praised", three, "min")
        refused("has no such metric", "slatings_praised", four, "min")
        refused("did not finish", "slatings_praised", failed, "min")
        refused("Say whether 'max' or 'min'", "slatings_praised", one, "least")
        refused("MLflow knows no run ''", "slatings_praised", "", "min")


def test_what_every_training_logs_is_nobodys_own(five: Trained) -> None:
    model, reviews = load(five.model), read_reviews(PROJECT / "data" / "test.csv")
    ours = metrics(
        evaluate(model, reviews), behave(model, read_cases(PROJECT / "data" / "behaviour.csv")), 1.0
    )
    for name in [*ours, "system/cpu_utilization_percentage"]:
        with pytest.raises(TutorialError, match="one that every training logs"):
            OWN(five.home, name, five.champion, "max")
