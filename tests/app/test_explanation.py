"""Why a review is judged so: the words' contributions are all of the verdict, and stand where they are said to."""

import copy
import math
import re

import numpy as np
import pandas as pd
import pytest
import texts
from hypothesis import example, given
from sklearn.pipeline import Pipeline

from app.explanation import Explanation, explain
from app.model import Params, predict, train, vectorizer


def only(model: Pipeline, feature: str) -> Pipeline:
    """A copy of the model in which nothing but one feature has a weight."""
    model = copy.deepcopy(model)
    coef = model.named_steps["classifier"].coef_
    column = vectorizer(model).vocabulary_[feature]
    coef[:] = 0
    coef[0, column] = 1.0
    return model


def contributions(explanation: Explanation) -> list[float]:
    return [word.contribution for word in explanation.words]


@given(texts.reviews())
@example("")
@example(" \n")
@example("İİİ not great ΟΔΟΣ STRAẞE great")
def test_contributions_add_up_to_the_verdict(model: Pipeline, review: str) -> None:
    explanation = explain(model, review)
    total = explanation.intercept + math.fsum(contributions(explanation))
    assert total == pytest.approx(explanation.log_odds, abs=1e-9)
    assert explanation.positive == pytest.approx(predict(model, [review])[0], abs=1e-9)


@given(texts.reviews())
@example("")
@example("a\x1cb\x85c\u2028d\u00a0e\u3000f\u200bg")
def test_words_are_the_runs_without_white_space(model: Pipeline, review: str) -> None:
    words = explain(model, review).words
    assert [word.text for word in words] == review.split()
    assert [review[word.start : word.end] for word in words] == review.split()
    assert [(w.start, w.end) for w in words] == [m.span() for m in re.finditer(r"\S+", review)]


@given(texts.reviews())
def test_a_word_that_the_model_does_not_know_adds_nothing(model: Pipeline, review: str) -> None:
    vocabulary = vectorizer(model).vocabulary_
    for word in explain(model, review).words:
        if not word.known:
            assert word.contribution == 0
            assert not any(w in vocabulary for w in re.findall(r"\w+", word.text.lower()))


def test_known_and_unknown_words_are_told_apart(model: Pipeline) -> None:
    words = explain(model, "xyzzy great 😀").words
    assert [word.known for word in words] == [False, True, False]
    assert contributions(explain(model, "xyzzy 😀")) == [0, 0]


@pytest.mark.parametrize(
    "before",
    ["İ" * 50, "ẞß", "ΟΔΟΣ Σ", "👩‍👩‍👧 😀", "סרט נפלא", "فيلم", "e\u0301 i\u0307", "\0\x1b", "ﬁ"],
)
def test_a_word_keeps_its_place_behind_letters_that_change_their_length(
    model: Pipeline, before: str
) -> None:
    model = only(model, "great")

    *others, great, last = explain(model, f"{before} great xyzzy").words

    assert great.text == "great"
    assert great.contribution > 0
    assert {word.contribution for word in (*others, last)} == {0}


def test_a_letter_that_becomes_two_in_lower_case_keeps_its_word(
    reviews: pd.DataFrame,
) -> None:
    """In lower case "İ" is an "i" and a dot, which cuts the word into two for the model."""
    renamed = reviews["review"].str.replace("great", "DİYAR ΣΑΣ STRAẞE", case=False)
    model = train(reviews.assign(review=renamed, film=""))

    words = explain(model, "DİYAR ΣΑΣ STRAẞE 😀").words

    assert [word.known for word in words] == [True, True, True, False]
    assert all(word.contribution > 0 for word in words[:3])


@pytest.fixture(scope="module")
def long_runs(train_reviews: pd.DataFrame) -> Pipeline:
    """A model that knows single words, pairs, and runs of three."""
    return train(train_reviews.head(300), Params(ngrams=3))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_what_a_run_of_words_contributes_is_shared_evenly(long_runs: Pipeline, size: int) -> None:
    run = next(
        name
        for name in vectorizer(long_runs).vocabulary_
        if len(set(name.split())) == size == len(name.split())
    )
    model = only(long_runs, run)

    explanation = explain(model, f"xyzzy {run} xyzzy")

    whole = explanation.log_odds - explanation.intercept
    assert whole > 0
    assert contributions(explanation) == pytest.approx([0, *[whole / size] * size, 0])


def test_what_a_repeated_pair_contributes_is_shared_by_all_of_it(
    model: Pipeline,
) -> None:
    model = only(model, "a great")

    explanation = explain(model, "a great xyzzy A GREAT! great a")

    whole = explanation.log_odds - explanation.intercept
    assert whole > 0
    assert contributions(explanation) == pytest.approx(
        [*[whole / 4] * 2, 0, *[whole / 4] * 2, 0, 0]
    )


@pytest.mark.parametrize(
    ("review", "shares"),
    [
        ("a great", [0.5, 0.5]),
        ("a-great", [1.0]),
        ("a, great", [0.5, 0.5]),
        ("a ... great", [0.5, 0.0, 0.5]),
        ("a😀great", [1.0]),
    ],
)
def test_a_pair_is_a_pair_whatever_stands_between(
    model: Pipeline, review: str, shares: list[float]
) -> None:
    explanation = explain(only(model, "a great"), review)
    whole = explanation.log_odds - explanation.intercept
    assert contributions(explanation) == pytest.approx([whole * s for s in shares])


def test_a_review_of_100_000_characters_is_explained(model: Pipeline) -> None:
    review = ("İ not great 😀 dull, " * 10_000)[:100_000]

    explanation = explain(model, review)

    assert len(explanation.words) == len(review.split())
    assert math.fsum(contributions(explanation)) + explanation.intercept == (
        pytest.approx(explanation.log_odds, abs=1e-9)
    )


@pytest.mark.parametrize("log_odds", [-1e6, -710.0, -50.0, 0.0, 50.0, 710.0, 1e6])
def test_a_probability_is_one_however_far_out_the_log_odds(log_odds: float) -> None:
    expected = np.exp(-np.logaddexp(0, -log_odds))
    assert Explanation(log_odds, 0.0, ()).positive == pytest.approx(expected, abs=1e-12)
