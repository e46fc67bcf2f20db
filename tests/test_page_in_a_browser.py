"""What a visitor sees: the running app in a real Chromium, light, dark and as wide as a phone."""

import csv
import io
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from executed import Chain
from tutorial.serving import RunningApp, start_app


@pytest.fixture(scope="module")
def app(chain: Chain) -> Iterator[RunningApp]:
    app = start_app(chain.home)
    yield app
    app.stop()


@pytest.fixture
def visit(page: Page, app: RunningApp) -> Page:
    page.goto(app.url)
    page.get_by_label("Your review").wait_for()
    return page


def judge(page: Page, review: str) -> None:
    page.get_by_label("Your review").fill(review)
    page.get_by_role("button", name="Judge it").click()


@pytest.mark.parametrize(
    ("example", "verdict"), [("A rave", "positive"), ("A slating", "negative")]
)
def test_an_example_is_judged_and_explained(visit: Page, example: str, verdict: str) -> None:
    visit.get_by_role("button", name=example).click()
    expect(visit.get_by_role("heading", name=verdict, level=2)).to_be_visible()
    expect(visit.locator("[data-testid=stVegaLiteChart]")).to_be_visible()
    assert visit.locator(f"span[title={verdict}]").count() > 2


def test_markup_in_a_review_stays_text(visit: Page) -> None:
    dialogs: list[str] = []
    visit.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    review = "<img src=x onerror=alert(1)> <b>boring</b> <script>alert(2)</script> & terrible"
    judge(visit, review)
    expect(visit.locator("p[dir=auto]")).to_have_text(review)
    assert visit.locator("p[dir=auto] img, p[dir=auto] b, p[dir=auto] script").count() == 0
    assert dialogs == []


def test_nothing_typed_is_a_clear_sentence(visit: Page) -> None:
    expect(visit.get_by_text("Type a review above")).to_be_visible()


def test_a_review_from_right_to_left_is_shown_so(visit: Page) -> None:
    judge(visit, "הסרט היה נפלא great")
    expect(visit.locator("p[dir=auto]")).to_have_css("direction", "rtl")


def test_a_table_comes_back_with_verdicts(visit: Page) -> None:
    visit.get_by_role("tab", name="A table of reviews").click()
    rows = "id,review\n" + "".join(f"{n},A wonderful film and a great cast\n" for n in range(1200))
    file = {"name": "mine.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    visit.locator("input[type=file]").set_input_files(file)  # type: ignore[arg-type]
    expect(visit.get_by_text("1,200 positive, 0 negative, 0 unsure")).to_be_visible(timeout=20_000)
    with visit.expect_download() as download:
        visit.get_by_role("button", name="Download with verdicts").click()
    text = download.value.path().read_text(encoding="utf-8")
    judged = list(csv.DictReader(io.StringIO(text)))
    assert len(judged) == 1200
    assert set(judged[0]) == {"id", "review", "verdict", "positive"}


def test_a_table_that_cannot_be_judged_gets_a_sentence(visit: Page) -> None:
    visit.get_by_role("tab", name="A table of reviews").click()
    file = {"name": "mine.csv", "mimeType": "text/csv", "buffer": b"text\nfine\n"}
    visit.locator("input[type=file]").set_input_files(file)  # type: ignore[arg-type]
    expect(visit.get_by_text("mine.csv has no column `review`")).to_be_visible()


def test_the_card_tells_what_can_be_proved_and_no_more(visit: Page, app: RunningApp) -> None:
    visit.get_by_role("tab", name="The model's card").click()
    expect(visit.get_by_text(app.card()["digest"])).to_be_visible()
    assert visit.get_by_text("nobody can tell").count() == 6


@pytest.mark.parametrize(("scheme", "width"), [("light", 1100), ("dark", 1100), ("dark", 400)])
def test_the_page_is_accessible_and_fits(
    browser: Browser, app: RunningApp, scheme: str, width: int
) -> None:
    context = browser.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": width, "height": 900},
    )
    page = context.new_page()
    others: list[str] = []
    page.on(
        "request",
        lambda r: (
            others.append(r.url) if r.url.startswith("http") and app.url not in r.url else None
        ),
    )
    page.goto(app.url)
    page.get_by_role("button", name="A bit of both").click()
    page.get_by_text("Where they stand").wait_for()
    page.locator(
        "[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg"
    ).first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = {
        v["id"]: [node["html"][:200] for node in v["nodes"]][:3]
        for v in Axe().run(page).response["violations"]
    }
    context.close()
    assert found == {}
    assert others == []
