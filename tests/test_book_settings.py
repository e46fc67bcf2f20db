"""The settings of the book that depend on where it is published."""

import pytest

from tutorial.book import configuration
from tutorial.home import PROJECT


@pytest.mark.parametrize(
    ("published", "prefix"),
    [
        ("https://someone.example.org/the-book/", "/the-book/"),
        ("https://someone.example.org/the-book", "/the-book/"),
        ("https://book.example.org", "/"),
    ],
)
def test_a_page_that_is_not_there_finds_the_book_from_any_depth(
    published: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOK_URL", published)
    sphinx = configuration(PROJECT, execute=False)["sphinx"]["config"]
    assert sphinx["notfound_urls_prefix"] == prefix
    assert sphinx["html_baseurl"] == sphinx["ogp_site_url"] == published


def test_where_it_is_not_said_the_book_is_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOOK_URL", raising=False)
    sphinx = configuration(PROJECT, execute=False)["sphinx"]["config"]
    assert sphinx["notfound_urls_prefix"] == "/"
    assert sphinx["html_baseurl"].startswith("http://127.0.0.1")
