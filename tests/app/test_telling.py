"""The most telling words: what single explanations add up to, said of words as people write them."""

import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from app.explanation import explain
from app.telling import LEAST, most_telling


def test_a_word_tells_what_its_explanations_say_on_average(
    small_model: Pipeline, reviews: pd.DataFrame
) -> None:
    words = most_telling(small_model, reviews["review"])
    for each in words:
        parts = [
            word.contribution
            for review in reviews["review"]
            for word in explain(small_model, review).words
            if word.text.lower().strip("!.,") == each.word
        ]
        assert each.occurrences == len(parts) >= LEAST
        assert each.contribution == pytest.approx(sum(parts) / len(parts))


def test_the_most_negative_comes_first_and_each_sentiment_has_its_share(
    small_model: Pipeline, reviews: pd.DataFrame
) -> None:
    words = most_telling(small_model, reviews["review"], number=3)
    adds = [each.contribution for each in words]
    assert adds == sorted(adds)
    assert [add > 0 for add in adds] == [False] * 3 + [True] * 3
    # They are the outermost of all.
    every = most_telling(small_model, reviews["review"], number=1000)
    assert (words[:3], words[-3:]) == (every[:3], every[-3:])


def test_however_it_is_written_a_word_is_one(small_model: Pipeline) -> None:
    written = ["Great!", "(great)", "GREAT,", "great", "\u201cGreat\u201d", "don't", "Don\u2019t"]
    words = most_telling(small_model, [f"A {word} film" for word in written] * LEAST)
    assert {each.word: each.occurrences for each in words}["great"] == 5 * LEAST


def test_what_is_rare_or_unknown_tells_nothing(small_model: Pipeline) -> None:
    assert most_telling(small_model, []) == []
    assert most_telling(small_model, ["Great."] * (LEAST - 1)) == []
    assert most_telling(small_model, ["... !!"] * LEAST) == []
    assert [each.word for each in most_telling(small_model, ["Great."] * LEAST)] == ["great"]
