"""Why a review is judged so: the words' contributions are all of the verdict, and stand where they are said to."""

import copy
import math
import re

import numpy as np
import pandas as pd
import pytest
import texts
from hypothesis import example, given
from sklearn.feature_extraction import FeatureHasher
from sklearn.pipeline import Pipeline

from app.explanation import Explanation, explain
from app.model import Params, predict, train


def only(model: Pipeline, part: str, feature: str) -> Pipeline:
    """A copy of the model in which nothing but one feature has a weight."""
    model = copy.deepcopy(model)
    coef = model.named_steps["classifier"].coef_
    first = 0
    for name, vectors, _ in model.named_steps["features"].transformers:
        if name == part:
            break
        first += vectors.n_features
    column = first + int(
        FeatureHasher(vectors.n_features, input_type="string").transform([[feature]]).indices[0]
    )
    assert model.named_steps["weights"].idf_[column] > 0, "the model does not know it"
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
    for word in explain(model, review).words:
        assert word.known or word.contribution == 0


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
    model = only(model, "words", "great")

    *others, great, last = explain(model, f"{before} great xyzzy").words

    assert great.text == "great"
    assert great.contribution > 0
    assert {word.contribution for word in (*others, last)} == {0}


def test_a_letter_that_becomes_two_in_lower_case_keeps_its_word(
    reviews: pd.DataFrame,
) -> None:
    """In lower case "İ" is an "i" and a dot, which cuts the word into two for the model."""
    renamed = reviews["review"].str.replace("great", "DİYAR ΣΑΣ STRAẞE", case=False)
    model = train(reviews.assign(review=renamed, film=""), Params(bits=14))

    words = explain(model, "DİYAR ΣΑΣ STRAẞE 😀").words

    assert [word.known for word in words] == [True, True, True, False]
    assert all(word.contribution > 0 for word in words[:3])


@pytest.fixture(scope="module")
def long_runs(train_reviews: pd.DataFrame) -> Pipeline:
    """A model that knows single words, pairs, and runs of three, with signs among them."""
    return train(train_reviews.head(300), Params(ngrams=3, punctuation=1, endings=1))


@pytest.mark.parametrize(
    ("part", "feature", "review", "shares"),
    [
        pytest.param("words", "boring", "xyzzy boring xyzzy", [0, 1, 0], id="a word"),
        pytest.param("beginnings", "borin", "xyzzy boringly xyzzy", [0, 1, 0], id="a beginning"),
        pytest.param(
            "endings",
            "boring",
            "Boring. xyzzy boring xyzzy!",
            [0, 0, 1, 0],
            id="a last sentence's word",
        ),
        pytest.param("runs", "it is", "xyzzy it is xyzzy", [0, 0.5, 0.5, 0], id="a pair"),
        pytest.param("runs", "one of the", "one of the xyzzy", [1 / 3] * 3 + [0], id="three words"),
        pytest.param("runs", ", but", "xyzzy, but", [0.5, 0.5], id="a sign and a word"),
        pytest.param("runs", "don ' t", "don't", [1.0], id="a run in one word"),
    ],
)
def test_what_a_feature_contributes_is_shared_evenly_among_its_words(
    long_runs: Pipeline, part: str, feature: str, review: str, shares: list[float]
) -> None:
    model = only(long_runs, part, feature)

    explanation = explain(model, review)

    whole = explanation.log_odds - explanation.intercept
    assert whole > 0
    assert contributions(explanation) == pytest.approx([whole * share for share in shares])


def test_a_negation_and_what_it_turns_round_are_told_together(model: Pipeline) -> None:
    model = only(model, "words", "not the best")

    explanation = explain(model, "It's not the best, xyzzy")

    whole = explanation.log_odds - explanation.intercept
    assert whole > 0
    assert contributions(explanation) == pytest.approx([0, *[whole / 3] * 3, 0])


def test_what_a_repeated_pair_contributes_is_shared_by_all_of_it(
    model: Pipeline,
) -> None:
    model = only(model, "runs", "a great")

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
    explanation = explain(only(model, "runs", "a great"), review)
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
