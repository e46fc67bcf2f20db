"""The pages of the book: all there, readable for everybody, asking nothing of other hosts."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tutorial.book import pages_wanted
from tutorial.home import PROJECT

every_page = pytest.mark.parametrize("name", pages_wanted())
# The theme's own: its sidebar's parts are in no landmark. Nothing else of that rule is let through.
THEMES_OWN = ("region", '<div class="sidebar-primary-item">')


class Links(HTMLParser):
    """Collects what a page links to, its anchors, and its pictures without words."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.silent_pictures: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.anchors.add(attributes.get("id") or "")
        for name in ("href", "src"):
            self.links.append(attributes.get(name) or "")
        if tag == "img" and not attributes.get("alt"):
            self.silent_pictures.append(str(attributes.get("src")))


@every_page
def test_every_link_inside_the_book_leads_somewhere(pages: Path, name: str) -> None:
    page = pages / name
    for link in Links(page).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        assert target.exists(), link
        if parts.fragment and target.suffix == ".html":
            assert unquote(parts.fragment) in Links(target).anchors, link


@every_page
def test_every_picture_is_told_in_words(pages: Path, name: str) -> None:
    silent = Links(pages / name).silent_pictures
    assert silent == []


@every_page
def test_no_page_names_a_place_on_this_machine(pages: Path, name: str) -> None:
    text = (pages / name).read_text(encoding="utf-8")
    assert str(PROJECT) not in text
    assert str(pages.parents[2]) not in text


@every_page
def test_every_page_says_with_what_it_was_verified(pages: Path, name: str) -> None:
    text = (pages / name).read_text(encoding="utf-8")
    assert re.search(r"Verified on \d{4}-\d\d-\d\d with Python 3\.\d+\.\d+, scikit-learn", text)


@pytest.fixture
def asked(page: Page) -> list[str]:
    """Collect the addresses of other hosts that the page asks."""
    others: list[str] = []
    page.on("request", lambda r: others.append(r.url) if r.url.startswith("http") else None)
    return others


@every_page
def test_a_page_asks_nothing_of_other_hosts_and_fits_a_phone(
    pages: Path, name: str, page: Page, asked: list[str]
) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto((pages / name).as_uri(), wait_until="load")
    assert asked == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


@every_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_accessible(pages: Path, name: str, scheme: str, browser: Browser) -> None:
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto((pages / name).as_uri(), wait_until="load")
    # The theme fades its colours in: half way there is no colour to judge.
    page.evaluate("Promise.allSettled(document.getAnimations().map(each => each.finished))")
    violations = {v["id"]: v for v in Axe().run(page).response["violations"]}
    context.close()
    found = [
        (rule, node["html"][:200])
        for rule, violation in violations.items()
        for node in violation["nodes"]
        if (rule, node["html"].split("\n")[0]) != THEMES_OWN
    ]
    assert found == []


def test_solutions_are_folded_and_open_on_demand(pages: Path, page: Page) -> None:
    page.goto((pages / "notebooks" / "00_zero_ops.html").as_uri())
    words, code = (
        page.get_by_text("Praise for what the film is"),
        page.get_by_text("The trailer was"),
    )
    assert not words.is_visible()
    assert not code.is_visible()
    page.get_by_text("Solution", exact=True).first.click()
    words.wait_for(state="visible")
    page.get_by_text("Show code cell content").first.click()
    code.first.wait_for(state="visible")
