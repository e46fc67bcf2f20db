"""A stranger's Markdown in a comment: words, tables and folded parts, and nothing that acts."""

import re
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tutorial.home import PROJECT

sys.path.append(str(PROJECT / "scripts"))

from harmless import harmless

GITHUB = MarkdownIt("gfm-like", {"html": True, "linkify": True})
assert GITHUB.linkify
GITHUB.linkify.set(
    {"fuzzy_link": False}
)  # it takes every `example.org` for one, which GitHub does not
# What GitHub makes of plain text after it has rendered it: mentions, references to issues, addresses.
ACTS = re.compile(r"@[\w-]|#\d|\bgh-\d|\bwww\.\w", re.IGNORECASE)
PIECES = st.sampled_from(
    [
        *(
            "@reader",
            "&#64;reader",
            "&commat;reader",
            "\\@reader",
            "@\u200breader",
            "@\u00adreader",
        ),
        *(
            "#1",
            "fixes #1",
            "&num;1",
            "GH-1",
            "o/r#1",
            "http://a.example",
            "www.example.org",
            "a@b.org",
        ),
        *(
            "[a](b)",
            "![a](b)",
            "[a][b]",
            "[b]: c",
            "<https://a.example>",
            "<img src=x>",
            "<script>",
        ),
        *(
            "<!-- ",
            " -->",
            "<details>",
            "</details>",
            "<DETAILS onclick=a>",
            "<a href='b'>",
            "<svg/onload=a>",
        ),
        *(
            "```",
            "`",
            "|",
            "\n",
            "\n\n",
            "    ",
            "> ",
            "- ",
            "**",
            "_",
            "\\",
            "&",
            "<",
            ">",
            "]",
            "(",
            "\u202e",
        ),
        *(
            "[a]\n(b)",
            "[^1]",
            "[^1]: c",
            "\0",
            "\r",
            "ftp://x",
            "mailto:a@b.org",
            "//a.example",
            "javascript:a",
        ),
    ]
)


class Tags(HTMLParser):
    """The tags and attributes in a page, and its text outside of code."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words = ""
        self.code = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.code += tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self.code -= tag == "code"

    def handle_data(self, data: str) -> None:
        self.words += "" if self.code else data


@given(st.lists(PIECES | st.text(max_size=8), max_size=12).map("".join))
def test_nothing_that_acts_is_left(text: str) -> None:
    shown = harmless(text)
    page = Tags(GITHUB.render(shown))
    assert not page.tags & {"a", "img", "script", "svg", "iframe", "input", "style"}
    assert page.attributes <= {
        "style",
        "start",
        "class",
    }  # a table's column, a list's start, a fence's word
    assert not ACTS.search(page.words), page.words
    assert "<!--" not in shown
    assert harmless(shown) == shown  # as often as you like
    assert not re.search("[\u202a-\u202e\u2066-\u2069\0]", shown)


def test_what_a_report_needs_stays() -> None:
    report = """## Yes: it is better.

| | champion | challenger |
|---|---|---|
| accuracy | 80.1% | **83.4%** |

It does not say &lt;b&gt; &amp; so on; 3 < 4 > 2.

<details><summary>Digests</summary>

`0123abcd`

</details>
"""
    assert harmless(report) == report.replace("3 < 4", "3 &lt; 4")


@pytest.mark.parametrize("text", ["ärgerlich — schön", "映画", "emoji 🎬", "a\tb\nc"])
def test_words_of_any_language_stay(text: str) -> None:
    assert harmless(text) == text


def test_what_a_report_has_broken_stays_broken() -> None:
    """report.py puts a joiner into what GitHub would make a link of: it is there still."""
    assert harmless("de\N{WORD JOINER}adbeef :\N{WORD JOINER}x:") == (
        "de\N{WORD JOINER}adbeef :\N{WORD JOINER}x:"
    )
