"""A pull request's page: what it shows, and that nothing of what strangers write takes effect in it."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from proposals import Proposals
from rehearsal import Rehearsal

from tutorial.github.conversation import add_comment, add_labels, add_review
from tutorial.github.markdown import to_html
from tutorial.github.movement import merge_pull
from tutorial.github.page import pull_document, pull_page
from tutorial.github.people import Actor, person
from tutorial.github.pulls import change_pull, open_pull
from tutorial.github.refusals import RefusalError

BOT = Actor("reports[bot]", {"pull_requests": "write"})


class Tags(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(rehearsal: Rehearsal) -> Tags:
    return Tags(pull_page(rehearsal.state, 1))


def test_a_page_tells_a_pull_requests_story(rehearsal: Rehearsal) -> None:
    proposals = Proposals(rehearsal)
    _, queued = proposals.propose("topic", {"params.yaml": "C: 2\n"})
    proposals.finish(queued.runs[0], "one", "failure")
    add_labels(proposals.store, 1, ["same-quality"], person("maintainer"))
    add_comment(proposals.store, 1, "| a | b |\n|---|---|\n| 1 | **2** |", BOT)
    add_review(proposals.store, 1, "APPROVE", "Well done", person("maintainer"))
    shown = page(rehearsal)
    for words in (
        "Try topic #1",
        "Open reader wants to merge topic into main",
        "same-quality",
        "A change (A reader)",
        "params.yaml modified: 1 added, 1 removed +-",
        "failure Train (pull_request, run 2): one",
        "approved maintainer, of",
        "Well done",
        "reports bot",
        "It can be merged.",
    ):
        assert words in " ".join(shown.text.split()), words
    assert {"table", "strong"} <= {tag for tag, _ in shown.tags}
    merge_pull(proposals.store, 1, person("reader"))
    assert "Merged by reader as" in page(rehearsal).text
    assert page(rehearsal).text.lstrip().startswith("Try topic")


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "text <b onclick=alert(1)>bold</b> <style>p {display: none}</style>",
    "[a](javascript:alert(1)) [b](data:text/html;base64,x) [c](vbscript:x) <javascript:alert(1)>",
    "![x](https://tracker.example/pixel.png) ![y](data:image/png;base64,x)",
    "</div></div><iframe src=//evil></iframe>",
    "<!-- --><script>alert(1)</script><!-- -->",
    "<!--> <script>alert(1)</script> -->",
    '[x](https://a.example/"onmouseover="alert(1))',
    "`</code><script>alert(1)</script>`",
    "```html\n</code></pre><script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\n```',
    "<details><summary>x</summary>",
    "# <script>alert(1)</script>",
    "| <script> | b |\n|---|---|\n| <script>alert(1)</script> | 2 |",
    "&lt;script&gt; &#60;script&#62;",
    "<form action=//evil><input name=password></form>",
]
HARMLESS = {
    *("a", "blockquote", "br", "code", "em", "hr", "li", "ol", "p", "pre", "s", "strong"),
    *("table", "tbody", "td", "th", "thead", "tr", "ul", "div", "span", "style"),
}
ATTRIBUTES = {"class", "href", "rel", "title", "start", "style", "tabindex"}


@pytest.mark.parametrize("text", HOSTILE)
def test_no_markup_of_a_comment_takes_effect(text: str) -> None:
    shown = Tags(to_html(text))
    assert {tag for tag, _ in shown.tags} <= HARMLESS - {"div", "style"}
    for tag, attributes in shown.tags:
        assert set(attributes) <= ATTRIBUTES, tag
        assert (attributes.get("href") or "https:").startswith("https:")
        assert re.fullmatch(r"(text-align:\w+)?", attributes.get("style") or "")


def test_nothing_that_a_stranger_writes_anywhere_is_markup(rehearsal: Rehearsal) -> None:
    evil = "<script>alert(1)</script>"
    proposals = Proposals(rehearsal)
    proposals.branch("topic", {"params.yaml": "C: 2\n", "<b>.txt": "x"}, "stranger", evil)
    stranger = person("stranger")
    _, queued = open_pull(proposals.store, stranger, evil, "stranger:topic", body=evil)
    proposals.finish(queued.runs[0], evil, "success")
    add_comment(proposals.store, 1, "\n\n".join(HOSTILE), stranger)
    add_review(proposals.store, 1, "COMMENT", evil, stranger)
    add_labels(proposals.store, 1, ["<i>"], person("maintainer"))
    shown = page(rehearsal)
    assert {tag for tag, _ in shown.tags} <= HARMLESS
    assert shown.text.count("alert(1)") >= 5
    # What follows the comment is still on the page.
    assert shown.text.index("Files changed") > shown.text.index("alert(1)")


def test_a_comment_of_html_is_not_shown() -> None:
    assert "report" not in to_html("<!-- report -->\n\nHello <!-- report --> there")
    assert "Hello  there" in to_html("<!-- report -->\nHello <!-- report --> there")


def test_a_document_is_light_and_dark_and_asks_no_other_host(rehearsal: Rehearsal) -> None:
    proposals = Proposals(rehearsal)
    proposals.propose()
    change_pull(proposals.store, 1, person("reader"), state="closed")
    text = pull_document(rehearsal.state, 1)
    assert "color-scheme: light dark" in text
    assert "Closed without merging." in text
    assert "<script" not in text
    assert "url(" not in text
    assert not re.search(r"(src|href)=.?https?:", text)
    with pytest.raises(RefusalError):
        pull_document(Path(rehearsal.state), 2)
