"""What a visitor reads and sees: modest words, honest bars, and a review that stays text."""

import re
import unicodedata

import pandas as pd
import pytest
import texts
from html_text import seen
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.pipeline import Pipeline

from app.explanation import Explanation, Word, explain
from app.verdict import (
    LONGEST_MARKED,
    chart,
    in_words,
    marked,
    percent,
    telling_words,
    verdict,
)


def explanation(**contributions: float) -> Explanation:
    """Of a review that is just these words; one that adds 0 is unknown."""
    words, start = [], 0
    for text, contribution in contributions.items():
        end = start + len(text)
        words.append(Word(text, start, end, contribution, contribution != 0))
        start = end + 1
    return Explanation(sum(contributions.values()), 0.0, tuple(words))


@pytest.mark.parametrize(
    ("chance", "words"),
    [
        *[(1.0, "Almost certainly positive"), (0.95, "Almost certainly positive")],
        *[(0.949, "Very likely positive"), (0.8, "Very likely positive")],
        *[(0.799, "Probably positive"), (0.6, "Probably positive")],
        *[(0.599, "Hard to tell"), (0.5, "Hard to tell"), (0.401, "Hard to tell")],
        *[(0.4, "Probably negative"), (0.201, "Probably negative")],
        *[(0.2, "Very likely negative"), (0.051, "Very likely negative")],
        *[(0.05, "Almost certainly negative"), (0.0, "Almost certainly negative")],
    ],
)
def test_a_probability_has_words(chance: float, words: str) -> None:
    assert in_words(chance) == words


@given(st.floats(0, 1))
def test_words_and_verdict_agree(chance: float) -> None:
    last = in_words(chance).rpartition(" ")[2]
    assert {"tell": "unsure"}.get(last, last) == verdict(chance)


@given(st.floats(0, 1))
@example(0.0)
@example(0.004)
@example(0.995)
@example(1.0)
def test_a_percentage_never_claims_certainty(chance: float) -> None:
    number = int(re.sub(r"\D", "", percent(chance)))
    assert 1 <= number <= 99
    assert abs(number - 100 * chance) <= 1


def test_the_words_that_tell_most_come_first() -> None:
    words = telling_words(explanation(weak=0.1, bad=-2.0, unknown=0.0, good=1.0))
    assert list(words["word"]) == ["bad", "good", "weak"]
    assert list(words["contribution"]) == [-2.0, 1.0, 0.1]
    assert list(words["towards"]) == ["negative", "positive", "positive"]


def test_there_are_no_more_words_than_a_chart_can_show() -> None:
    words = telling_words(explanation(**{f"w{n}": n / 10 for n in range(1, 30)}))
    assert list(words["word"]) == [f"w{n}" for n in range(29, 19, -1)]
    assert len(telling_words(explanation(a=1.0, b=2.0), most=1)) == 1


def test_a_word_counts_once_however_it_is_written(model: Pipeline) -> None:
    review = "Great, great! (GREAT) “great”... don't"
    words = telling_words(explain(model, review)).set_index("word")["contribution"]
    whole = sum(w.contribution for w in explain(model, review).words if "don" not in w.text)
    assert set(words.index) == {"great", "don't"}
    assert words["great"] == pytest.approx(whole)


def test_words_that_tell_nothing_make_an_empty_table(model: Pipeline) -> None:
    words = telling_words(explain(model, "xyzzy 😀"))
    assert words.empty
    assert list(words) == ["word", "contribution", "towards"]


@given(texts.reviews())
def test_any_text_has_words_to_show(model: Pipeline, review: str) -> None:
    words = telling_words(explain(model, review))
    assert len(words) <= 10
    assert all(0 < len(word) <= 40 for word in words["word"])
    assert list(words["contribution"].abs()) == sorted(words["contribution"].abs(), reverse=True)


def test_a_chart_shows_the_words_in_their_order_and_to_their_side() -> None:
    words = telling_words(explanation(weak=0.1, bad=-2.0, good=1.0))

    drawn = chart(words)

    assert drawn["data"]["values"] == words.to_dict("records")
    encoding = drawn["encoding"]
    assert encoding["y"]["field"] == "word"
    assert encoding["y"]["sort"] is None  # null: as they come, not by the alphabet
    assert encoding["x"]["field"] == "contribution"
    assert encoding["color"]["field"] == "towards"
    assert encoding["color"]["scale"]["domain"] == ["positive", "negative"]


def test_chart_and_review_have_the_same_colours() -> None:
    given = explanation(good=1.0, bad=-1.0)
    scale = chart(telling_words(given))["encoding"]["color"]["scale"]
    for towards, colour in zip(scale["domain"], scale["range"], strict=True):
        (style,) = (
            attributes["style"]
            for _, attributes in seen(marked("good bad", given)).elements
            if attributes.get("title") == towards
        )
        assert style is not None
        assert f"solid {colour}" in style or f"dotted {colour}" in style


def visible(review: str) -> str:
    """What should be seen: up to the last word, with a sign for each control character."""
    return "".join(
        "\ufffd" if unicodedata.category(c) == "Cc" and c not in "\n\t" else c
        for c in review.rstrip()
    )


@given(texts.reviews())
@example("")
@example("<script>alert(1)</script> great <b>boring</b> &lt; \"'&#60;")
@example("great\0\x1b[0m\x85 boring\r\n")
def test_nothing_that_is_typed_becomes_markup(model: Pipeline, review: str) -> None:
    page = seen(marked(review, explain(model, review)))

    assert page.text == visible(review)
    (paragraph, frame), *spans = page.elements
    assert (paragraph, set(frame)) == ("p", {"dir", "style"})
    assert all((tag, set(has)) == ("span", {"title", "style"}) for tag, has in spans)
    assert page.others == []


def test_the_words_that_tell_are_marked_and_the_others_are_not() -> None:
    review = "good so so bad"
    given = explanation(good=1.0, so=0.05, a=0.0, bad=-0.5)

    page = seen(marked(review, given))

    (_, *spans), (_, *marks) = page.elements, page.inside
    titles = [attributes["title"] for _, attributes in spans]
    assert list(zip(marks, titles, strict=True)) == [("good", "positive"), ("bad", "negative")]


def test_the_more_a_word_tells_the_stronger_it_is_marked() -> None:
    review = "good fine fair bad"
    page = seen(marked(review, explanation(good=1.0, fine=0.6, fair=0.2, bad=-0.9)))

    grounds = [
        re.search(r"rgba\([\d, ]+, ([\d.]+)\)", str(a["style"])) for _, a in page.elements[1:]
    ]
    good, fine, fair, bad = (float(ground[1]) for ground in grounds if ground)
    assert 1 > good > bad > fine > fair > 0


def test_marks_differ_for_who_does_not_see_colours() -> None:
    page = seen(marked("good bad", explanation(good=1.0, bad=-1.0)))
    lines = [str(attributes["style"]) for _, attributes in page.elements[1:]]
    assert "solid" in lines[0]
    assert "dotted" in lines[1]


def test_a_review_from_right_to_left_is_set_so() -> None:
    page = seen(marked("סרט נפלא", Explanation(0.0, 0.0, ())))
    assert page.elements[0][1]["dir"] == "auto"


def test_a_very_long_review_is_cut_for_the_browser(model: Pipeline) -> None:
    review = "great <b> " * LONGEST_MARKED
    page = seen(marked(review, explain(model, review)))
    assert page.text == " ".join(review.split()[:LONGEST_MARKED])


def test_no_word_at_all_makes_an_empty_chart() -> None:
    assert chart(telling_words(explanation()))["data"]["values"] == []
    assert isinstance(telling_words(explanation()), pd.DataFrame)
