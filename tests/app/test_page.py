"""The page, as its visitors use it: whatever they type, there is an answer or a clear sentence."""

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from html_text import Seen, seen
from plain import is_one_sentence
from streamlit.testing.v1 import AppTest

from app.live import Live, Serving
from app.settings import Settings


@pytest.fixture(scope="module")
def serving(model_file: Path) -> Serving:
    """A model that was loaded once for all these tests."""
    live = Live(Settings(str(model_file)))
    live.refresh()
    assert live.serving
    return live.serving


@pytest.fixture
def live(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> Live:
    """A model in service, which the page asks."""
    live = Live(Settings(serving.uri))
    live.serving = serving
    live.refresh()
    monkeypatch.setattr("app.in_service.live", live)
    return live


@pytest.fixture
def page(live: Live, project: Path) -> AppTest:
    """The page, freshly opened."""
    return AppTest.from_file(project / "app" / "page.py", default_timeout=60).run()


def judge(page: AppTest, review: str) -> None:
    page.text_area(key="review").set_value(review)
    button(page, "Judge it").click().run()
    assert not page.exception


def button(page: AppTest, name: str):  # type: ignore[no-untyped-def]
    return next(button for button in page.button if button.label == name)


def upload(page: AppTest, content: bytes, name: str = "mine.csv") -> None:
    page.file_uploader[0].upload(name, content, "text/csv").run()
    assert not page.exception


def verdict_of(page: AppTest) -> str:
    (header,) = page.header
    return header.value


def chance_of(page: AppTest) -> str:
    return page.get("progress")[0].proto.text


def says(page: AppTest) -> str:
    """All the sentences on the page."""
    kinds = (page.markdown, page.info, page.warning, page.error, page.text)
    return "\n".join(element.value for kind in kinds for element in kind)


def shown(page: AppTest) -> Seen:
    """The review with its words marked."""
    (found,) = (h.proto.body for h in page.get("html") if "pre-wrap" in h.proto.body)
    return seen(found)


def test_the_page_opens_with_an_invitation(page: AppTest) -> None:
    assert not page.exception
    assert page.title[0].value == "Is this review positive?"
    assert "Type a review above" in says(page)
    assert not page.error
    assert not page.warning
    assert not page.header


@pytest.mark.parametrize(
    ("name", "verdict"),
    [("A rave", "positive"), ("A slating", "negative"), ("A bit of both", "")],
)
def test_an_example_is_filled_in_judged_and_explained(
    page: AppTest, name: str, verdict: str
) -> None:
    button(page, name).click().run()

    assert not page.exception
    review = page.text_area(key="review").value
    assert len(review.split()) > 20
    assert verdict in verdict_of(page)
    assert shown(page).text == review
    assert len(shown(page).elements) > 3
    assert len(page.get("vega_lite_chart")) == 1


def test_the_verdict_is_in_words_and_in_a_number(page: AppTest) -> None:
    judge(page, "A wonderful, moving film with a great cast; I loved it.")
    assert verdict_of(page) == "Almost certainly positive"
    assert chance_of(page) == "Chance that it is positive: over 99%"

    judge(page, "A boring mess, painful and dull: the worst film of the year.")
    assert verdict_of(page) == "Almost certainly negative"
    assert chance_of(page) == "Chance that it is positive: under 1%"


def test_the_chart_is_of_the_words_that_tipped_it(page: AppTest) -> None:
    judge(page, "Great cast, boring plot.")
    (chart,) = page.get("vega_lite_chart")
    assert all(word in chart.proto.data.data for word in (b"great", b"boring"))
    titles = [attributes.get("title") for _, attributes in shown(page).elements]
    assert {"positive", "negative"} <= set(titles)


@pytest.mark.parametrize("nothing", ["", "   ", "\n\t\n", "\u3000", "\x1f"])
def test_nothing_typed_is_an_invitation(page: AppTest, nothing: str) -> None:
    judge(page, "great")
    judge(page, nothing)
    assert "Type a review above" in says(page)
    assert not page.header


@pytest.mark.parametrize(
    "unknown",
    ["xyzzy", "😀", "😀😀 🎬👩‍👩‍👧", "סרט נפלא", "فيلم رائع", "\0\1\2", "?!", "\u200b", "\ufeff"],
)
def test_what_the_model_does_not_know_is_called_a_guess(page: AppTest, unknown: str) -> None:
    judge(page, unknown)
    assert verdict_of(page) == "Hard to tell"
    assert "little more than a guess" in says(page)


def test_one_word_is_hard_to_tell(page: AppTest) -> None:
    judge(page, "great")
    assert verdict_of(page) == "Hard to tell"


def test_a_verdict_on_three_words_comes_with_a_grain_of_salt(page: AppTest) -> None:
    judge(page, "a great film")
    assert "positive" in verdict_of(page)
    assert "very short" in says(page)


@pytest.mark.parametrize(
    "review",
    [
        "<script>alert(1)</script> great <b>boring</b>",
        "<img src=x onerror=alert(1)> great & &lt;terrible&gt;",
        "</p></span><h1>great</h1>",
        "great **boring** $x$ :red[dull] [link](https://example.org) # great",
        "הסרט היה great נפלא",
        "great\0 boring\x1b[0m dull\x07",
        "İstanbul'da great ΟΔΟΣ STRAẞE 😀",
    ],
)
def test_whatever_is_typed_is_shown_as_it_is(page: AppTest, review: str) -> None:
    judge(page, review)

    text = "".join(c if c.isprintable() else "\ufffd" for c in review)
    assert shown(page).text == text
    assert {tag for tag, _ in shown(page).elements} == {"p", "span"}
    assert text not in says(page)  # Markdown would be rendered there


@pytest.mark.parametrize("piece", ["great film, ", "😀 ", "<b>dull</b> ", "x"])
def test_100_000_characters_get_an_answer(page: AppTest, piece: str) -> None:
    judge(page, (piece * 100_000)[:100_000])
    assert verdict_of(page)


def test_of_a_very_long_review_the_page_says_what_it_shows(page: AppTest) -> None:
    judge(page, "great film, " * 8_000)
    assert "the first 2,000 words are shown" in says(page)
    assert len(shown(page).text.split()) == 2_000


def test_a_table_comes_back_with_verdicts(page: AppTest) -> None:
    upload(page, b"id,review\n7,A great film\n8,Dull and boring\n9,\n")

    judged: pd.DataFrame = page.dataframe[0].value
    assert list(judged) == ["id", "review", "verdict", "positive"]
    assert list(judged["verdict"]) == ["positive", "negative", "unsure"]
    assert "1 positive, 1 negative, 1 unsure" in says(page)


def test_the_whole_table_can_be_taken_home(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than the page shows, and reviews with commas, quotes and lines."""
    rows = [["review"], *[[f'A warm, "so" great cast\n{n}'] for n in range(1200)]]
    file, taken = io.StringIO(), []
    csv.writer(file).writerows(rows)
    monkeypatch.setattr("streamlit.download_button", lambda *given: taken.append(given))

    upload(page, file.getvalue().encode())

    assert len(page.dataframe[0].value) == 1000
    assert "The first 1,000 of 1,200 rows are shown" in says(page)
    ((label, content, name, kind),) = taken
    assert (label, name, kind) == ("Download with verdicts", "judged.csv", "text/csv")
    header, *judged = csv.reader(io.StringIO(content, newline=""))
    assert header == ["review", "verdict", "positive"]
    assert [row[:2] for row in judged] == [[review, "positive"] for (review,) in rows[1:]]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"review\n", "no rows"),
        (b"text\nfine\n", "no column `review`"),
        ("review\nCafé\n".encode("latin-1"), "not UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not UTF-8"),
        (b"review,verdict\nfine,mine\n", "a column `verdict` already"),
    ],
)
def test_a_table_that_cannot_be_judged_gets_a_sentence(
    page: AppTest, content: bytes, complaint: str
) -> None:
    upload(page, content, "<b>mine</b>.csv")

    assert page.error[0].value == "That table cannot be judged."
    message = page.text[0].value  # text, not Markdown: a file's name is a visitor's too
    assert message.startswith("<b>mine</b>.csv")
    assert complaint in message
    assert is_one_sentence(message)
    assert len(page.dataframe) == 0


def test_a_good_table_after_a_bad_one_is_judged(page: AppTest) -> None:
    upload(page, b"text\nfine\n")
    upload(page, b"review\nA great film\n")
    assert not page.error
    assert list(page.dataframe[0].value["verdict"]) == ["positive"]


def test_the_card_shows_what_can_be_proved_and_no_more(page: AppTest, live: Live) -> None:
    (card,) = (h.proto.body for h in page.get("html") if "<dl" in h.proto.body)
    facts = seen(card)
    assert live.card()["digest"] in facts.text
    assert live.card()["uri"] in facts.text
    assert facts.text.count("nobody can tell") == 6
    assert "6 of 9 facts cannot be proved" in says(page)


def test_without_a_model_the_page_says_why(
    live: Live, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = Live(Settings("<b>nothing</b>.skops"))
    none.refresh()
    monkeypatch.setattr("app.in_service.live", none)

    page = AppTest.from_file(project / "app" / "page.py", default_timeout=60).run()

    assert not page.exception
    assert page.error[0].value == "There is no model to ask just now."
    assert "There is no model at <b>nothing</b>.skops" in page.text[0].value
    assert len(page.text_area) == 0


def test_a_model_that_cannot_be_renewed_goes_on_answering(
    page: AppTest, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(uri: str, known: str | None) -> None:
        raise OSError("the network is gone")

    monkeypatch.setattr("app.live.fetch", fetch)
    live.refresh()

    judge(page, "A great film")

    assert "goes on answering" in page.warning[0].value
    assert "the network is gone" in page.text[0].value
    assert "positive" in verdict_of(page)


def test_a_model_that_stands_in_is_not_passed_off_as_the_one_that_should_answer(
    project: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Live(Settings("<b>nothing</b>.skops", fallback_uri=str(model_file)))
    live.refresh()
    monkeypatch.setattr("app.in_service.live", live)

    page = AppTest.from_file(project / "app" / "page.py", default_timeout=60).run()

    assert not page.exception
    assert "stands in for it" in page.warning[0].value
    assert "There is no model at <b>nothing</b>.skops" in page.text[0].value
    assert f"since {live.card()['problem_since']}" in page.text[0].value
    (card,) = (h.proto.body for h in page.get("html") if "<dl" in h.proto.body)
    assert str(model_file) in seen(card).text
