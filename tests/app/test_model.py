"""Training: what it takes, what it refuses, and what the model has learned."""

import copy
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import texts
from hypothesis import given
from hypothesis import strategies as st
from plain import is_one_sentence
from sklearn.pipeline import Pipeline

from app.data import DataError
from app.evaluation import evaluate
from app.model import MODELS, RANGES, ModelError, Params, predict, train

RAVE = "A wonderful, moving film with a great cast; I loved every minute."
SLATING = "A boring mess with terrible acting, and the worst film of the year."
UNKNOWN = "xyzzy plugh"
# For a dozen words: of a large table every column is looked after, used or not.
TINY = Params(bits=18)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("C", value) for value in (0, -1, 1e9, float("nan"), float("inf"), "2", True)],
        *[("ngrams", value) for value in (0, 5, 1.5, 2.0, "2", None, True)],
        *[("min_df", value) for value in (0, -3, 0.5)],
        *[("smoothing", value) for value in (0, -1, 1e6)],
        *[("blend", value) for value in (-0.1, 1.1)],
        *[(n, v) for n in ("punctuation", "beginnings", "endings") for v in (2, 0.5, True)],
        *[("bits", value) for value in (7, 24, None)],
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(name: str, value: Any) -> None:
    with pytest.raises(ModelError) as refused:
        Params(**{name: value})
    assert str(refused.value).startswith(f"{name} is {value!r}")
    assert is_one_sentence(str(refused.value))


@pytest.mark.parametrize(
    ("assignment", "named"),
    [
        *[("c=2", "'c'"), ("C2", "'C2'"), ("", "''"), ("=2", "''"), (" C=2", "' C'")],
        *[("C", "C"), ("C=", "C"), ("C=two", "C"), ("C=1=2", "C"), ("C=nan", "C")],
        *[("ngrams=1.5", "ngrams"), ("ngrams=9", "ngrams"), ("min_df=-1", "min_df")],
    ],
)
def test_an_assignment_that_makes_no_sense_is_named(assignment: str, named: str) -> None:
    with pytest.raises(ModelError) as refused:
        Params.parse([assignment])
    assert str(refused.value).startswith(f"{named} is ")
    assert is_one_sentence(str(refused.value))


def test_assignments_change_what_they_name_and_nothing_else() -> None:
    params = Params.parse(["C=2", "ngrams=1", "min_df=3"])
    assert params == Params(C=2.0, ngrams=1, min_df=3)
    assert Params.parse([]) == Params()


@given(st.builds("{}{}{}".format, st.sampled_from([*RANGES, ""]), st.sampled_from("= "), st.text()))
def test_any_assignment_is_read_or_refused_on_one_line(assignment: str) -> None:
    result = params_or_error(assignment)

    if isinstance(result, ModelError):
        assert str(result).isprintable()
    else:
        assert all(low <= asdict(result)[n] <= high for n, (_, low, high) in RANGES.items())


def params_or_error(assignment: str) -> Params | ModelError:
    try:
        return Params.parse([assignment])
    except ModelError as error:
        return error


def test_a_named_model_is_where_the_other_assignments_start() -> None:
    assert Params.parse(["model=small"]) == MODELS["small"] == Params()
    assert Params.parse(["model=full"]) == MODELS["full"] != MODELS["small"]
    assert Params.parse(["C=2", "model=full"]) == replace(MODELS["full"], C=2.0)


@pytest.mark.parametrize("name", ["", "Small", "huge", "full "])
def test_a_model_that_nobody_named_is_refused(name: str) -> None:
    with pytest.raises(ModelError) as refused:
        Params.parse([f"model={name}"])
    assert str(refused.value).startswith(f"model is {name!r}: choose from small, full")
    assert is_one_sentence(str(refused.value))


def known(model: Pipeline, review: str) -> int:
    """How many of a review's features tell the model anything."""
    counts = model.named_steps["features"].transform(pd.DataFrame({"review": [review]}))
    telling = model.named_steps["weights"].idf_[counts.indices] != 0
    return int(telling.sum()) - 1  # the constant that every review has


@pytest.mark.parametrize(
    ("params", "review", "features"),
    [
        pytest.param({}, "great so", 2, id="a word and its beginning"),
        pytest.param({}, "a great", 3, id="and a pair"),
        pytest.param({"ngrams": 1}, "a great", 2, id="no pairs"),
        pytest.param({}, "a great and warm", 7, id="no runs of three"),
        pytest.param({"ngrams": 3}, "a great and warm", 9, id="runs of three"),
        pytest.param({}, "so great!", 2, id="no signs"),
        pytest.param({"punctuation": 1}, "so great!", 3, id="signs"),
        pytest.param({"beginnings": 0}, "great so", 1, id="no beginnings"),
        pytest.param({"endings": 1}, "xyzzy. Great!", 3, id="a word of the last sentence"),
        pytest.param({"endings": 1}, "Great! xyzzy.", 2, id="a word of another sentence"),
    ],
)
def test_parameters_reach_the_model(
    reviews: pd.DataFrame, params: dict[str, int], review: str, features: int
) -> None:
    assert known(train(reviews, replace(TINY, **params)), review) == features


@pytest.mark.parametrize("change", [{"C": 0.01}, {"smoothing": 10.0}, {"blend": 0.9}, {"bits": 12}])
def test_a_parameter_changes_what_is_learned(
    train_reviews: pd.DataFrame, change: dict[str, Any]
) -> None:
    few = train_reviews.head(60)
    plain, changed = (train(few, Params(**{"bits": 11, **more})) for more in ({}, change))
    assert predict(plain, [RAVE])[0] != pytest.approx(predict(changed, [RAVE])[0], abs=1e-5)


def test_a_model_beats_chance_on_films_it_never_saw(
    model: Pipeline, unseen_reviews: pd.DataFrame
) -> None:
    result = evaluate(model, unseen_reviews)
    assert result.accuracy_interval[0] > 0.5
    assert result.log_loss < np.log(2)


def test_a_model_knows_praise_from_blame(model: Pipeline) -> None:
    rave, slating = predict(model, [RAVE, SLATING])
    assert rave > 0.8
    assert slating < 0.2


def test_blame_makes_a_review_worse_and_praise_better(model: Pipeline) -> None:
    plain, worse, better = predict(
        model,
        ["It is a film.", "It is a terrible, boring film.", "It is a wonderful film."],
    )
    assert worse < plain < better


@pytest.mark.parametrize(
    "word", ["great", "Boring!", "TERRIBLE", "film", "don\u2019t", "x", "?!", ""]
)
def test_one_word_leaves_the_model_unsure(model: Pipeline, word: str) -> None:
    assert 0.4 < predict(model, [word])[0] < 0.6


def test_no_word_of_the_corpus_alone_makes_the_model_sure(
    model: Pipeline, unseen_reviews: pd.DataFrame
) -> None:
    words = sorted({word for review in unseen_reviews["review"] for word in review.split()})
    chances = predict(model, words)
    assert 0.4 < chances.min() < chances.max() < 0.6


@pytest.mark.parametrize("review", ["xyzzy plugh", "asdf qwer zxcv jkl", "😀 😀 😀", "7q 8q"])
def test_gibberish_leaves_the_model_unsure(model: Pipeline, review: str) -> None:
    assert 0.4 < predict(model, [review])[0] < 0.6


@pytest.mark.parametrize(
    ("plain", "turned"),
    [
        ("It is good.", "It is not good."),
        ("I enjoyed it.", "I did not enjoy it."),
        ("The jokes are funny.", "The jokes aren\u2019t very funny."),
        ("It is exciting.", "It is never exciting."),
    ],
)
def test_a_negation_turns_praise_round(model: Pipeline, plain: str, turned: str) -> None:
    praise, blame = predict(model, [plain, turned])
    assert blame < praise


@pytest.mark.parametrize(
    "same", [RAVE.upper(), f"  {RAVE}\n\n", RAVE.replace(" ", "\u00a0"), f"«{RAVE}» 😀"]
)
def test_how_a_review_is_set_does_not_matter(model: Pipeline, same: str) -> None:
    assert predict(model, [same])[0] == pytest.approx(predict(model, [RAVE])[0])


def test_both_apostrophes_are_read_alike(model: Pipeline) -> None:
    straight, curly = predict(model, ["I don't like it", "I don\u2019t like it"])
    assert straight == curly
    assert straight != predict(model, ["I like it"])[0]


@given(st.lists(texts.reviews(), max_size=5))
def test_any_text_has_a_probability_whatever_stands_beside_it(
    model: Pipeline, reviews: list[str]
) -> None:
    together = predict(model, reviews)
    assert together.shape == (len(reviews),)
    assert all(0 < chance < 1 for chance in together)
    assert together == pytest.approx([predict(model, [r])[0] for r in reviews])


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        pytest.param(lambda r: r.head(0), "0 reviews", id="none"),
        pytest.param(lambda r: r.head(19), "19 reviews", id="one too few"),
        pytest.param(
            lambda r: r.assign(sentiment="positive"), "0 of the rarer", id="one sentiment"
        ),
        pytest.param(lambda r: r.assign(film="The one"), "1 films", id="one film"),
        pytest.param(
            lambda r: r.assign(sentiment=["negative"] + 23 * ["positive"]),
            "1 of the rarer",
            id="one that differs",
        ),
        pytest.param(
            lambda r: r.assign(review=[f"w{row}" for row in range(24)]),
            "learned from",
            id="no word occurs twice",
        ),
        pytest.param(lambda r: r.assign(review="?!"), "learned from", id="no words"),
        pytest.param(
            lambda r: r.assign(film=r["sentiment"]), "learned from", id="film tells sentiment"
        ),
    ],
)
def test_reviews_that_nothing_can_be_learned_from_are_refused(
    reviews: pd.DataFrame, spoil: Any, complaint: str
) -> None:
    with pytest.raises(DataError) as refused:
        train(spoil(reviews), TINY)
    assert complaint in str(refused.value)
    assert is_one_sentence(str(refused.value))


def test_reviews_of_unknown_films_can_be_learned_from(reviews: pd.DataFrame) -> None:
    """The published corpora do not tell the film."""
    model = train(reviews.assign(film=""), TINY)
    great, dull = predict(model, ["a great cast", "it is dull"])
    assert dull < 0.5 < great


def test_what_tells_one_film_only_teaches_no_certainty() -> None:
    """Names of characters tell the verdict on one film and nothing of the next one."""
    rows = [
        (f"hero{film} is in it", "positive" if film % 2 else "negative", f"F{film}")
        for film in range(20)
        for _ in range(5)
    ]

    model = train(pd.DataFrame(rows, columns=["review", "sentiment", "film"]), TINY)

    chances = predict(model, [f"hero{film} is in it" for film in range(20)])
    assert np.abs(chances - 0.5).max() < 0.1


def test_what_is_wrong_about_every_other_film_teaches_nothing() -> None:
    """Of two films each says the contrary of the other: turned round, it would be wrong as well."""
    counts = {("good", "A"): 6, ("bad", "A"): -6, ("good", "B"): -4, ("bad", "B"): 4}
    rows = [
        (f"A {word} film", "positive" if count > 0 else "negative", film)
        for (word, film), count in counts.items()
        for _ in range(abs(count))
    ]

    model = train(pd.DataFrame(rows, columns=["review", "sentiment", "film"]), TINY)

    assert predict(model, ["good", "bad"]) == pytest.approx(0.5, abs=0.05)


def test_unknown_words_are_judged_as_such_reviews_were_labelled() -> None:
    """Of those in which the model knows no word, three in four were negative."""
    rows = [(f"w{n}", "negative" if (n // 8) % 4 else "positive", f"F{n % 8}") for n in range(200)]
    rows += [
        (w, s, f"F{n % 8}")
        for n in range(20)
        for w, s in (("good", "positive"), ("bad", "negative"))
    ]

    model = train(pd.DataFrame(rows, columns=["review", "sentiment", "film"]), TINY)

    assert predict(model, [UNKNOWN])[0] == pytest.approx(0.25, abs=0.05)


@pytest.mark.filterwarnings("error")
def test_two_dozen_easy_reviews_teach_no_certainty(reviews: pd.DataFrame) -> None:
    """Of 24 reviews, all of them judged rightly, nobody can tell that no 25th would be wrong."""
    model = train(reviews, TINY)

    chances = predict(model, reviews["review"].tolist())
    assert np.abs(chances - 0.5).max() < 0.49


def test_training_leaves_the_reviews_as_they_are(reviews: pd.DataFrame) -> None:
    before = copy.deepcopy(reviews)
    train(reviews, TINY)
    pd.testing.assert_frame_equal(reviews, before)
