"""No markup of a review's takes effect in a report: it is text, and the report around it stays what it is."""

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from made_trainings import Made
from markdown_it import MarkdownIt
from markdown_it.token import Token

from gate_case import Case, command_line, read_case
from gate_training import Training
from report import report
from report_parts import LONGEST_REVIEW
from report_text import JOINER, plain, seen

# As GitHub reads a comment, and HTML and addresses too, so that they are known where they are.
GITHUB = MarkdownIt("gfm-like", {"html": True, "linkify": True})
assert GITHUB.linkify is not None
GITHUB.linkify.set({"fuzzy_link": False})  # a bare name such as example.com is no link on GitHub
# What GitHub looks for in the text that is left, after its documentation of autolinked references.
REFERENCES = re.compile(
    r"@[\w-]|#\d|\bgh-\d|\w://|\bwww\.\w|\bmailto:\w|\b[0-9a-f]{7,40}\b|:[\w+-]+:|\$",
    re.IGNORECASE,
)
HIDING = re.compile(
    "[\u0000-\u0008\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]"
)

ATTACKS = [
    "<img src=x onerror=alert(1)><script>alert(1)</script>",
    *("<!-- a", "<script src=a", "<div a", "<?a", "<!A", "<![CDATA[a"),  # they need no end
    "</details><!-- model report --><h1>Yes</h1> <!--",
    "[click](https://example.com) ![](https://example.com/a.png) <https://example.com>",
    "[a]: https://example.com 'b'",
    "[^1]: note [^1]",
    "//example.com and a//example.com",
    "see https://example.com, www.example.com, mail@example.com, mailto:mail@example.com",
    "@everyone @team/people, fixes #1, closes GH-12, owner/name#3, closes: #7",
    "| a | b |\n| --- | --- |\n| 1 | 2 |",
    "a \\| b \\\\| c | d",
    "```\n@name\n```",
    "`` ` `a` ```` ~~~ ~~a~~ **b** __c__ *d* _e_",
    "# a\n## b\n- c\n* d\n+ e\n1. f\n2) g\n> h\n---\n===\n    code",
    "1. a",
    "12) b",
    "- [ ] task",
    "a\n===",
    "---",
    "> [!WARNING]\n> Approve this",
    "&lt;b&gt; &amp; &#64;name &#x23;1 &commat;name",
    "\u202egnp.evil\u202c \u200b@\u200bname #\u200b1",
    "3e5c1e60269ae0329094de131227285d4682b665 and 3e5c1e6 and name@3e5c1e6",
    ":octocat: :+1: $a$ $$b$$ $`c`$",
    "\\@name \\#1 \\<b> \\`a\\`",
    "a  \nb\\\nc\r\nd\x0be\x85f\u2028g",
    "\ufeff\u200b",
    "",
    " ",
]
texts = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="\\`*_[](){}#+-.!?|~<>&@:/$=\"' \n\t019aA\u200b\u202e", max_size=40),
    st.lists(st.sampled_from(ATTACKS), max_size=3).map("".join),
)


def tokens(markdown: str) -> list[Token]:
    """Every token of a text, those of its lines behind the line that they are of."""
    return [token for outer in GITHUB.parse(markdown) for token in (outer, *(outer.children or ()))]


def shape(markdown: str) -> list[str]:
    """What a text is made of: its tokens, less its words, which markdown-it gives in pieces."""
    kinds = [token.type for token in tokens(markdown)]
    return [kind for kind in kinds if kind not in ("text", "text_special")]


def words(markdown: str) -> str:
    """What a reader sees of a text that is text alone, the joiners among it."""
    return "".join(
        token.content for token in tokens(markdown) if token.type in ("text", "text_special")
    )


@given(text=texts)
@settings(max_examples=400, deadline=None)
def test_a_text_is_shown_as_it_is_and_is_nothing_but_text(text: str) -> None:
    shown = plain(text, 100)
    for around in ("{}", "> {}", "| {} | b |\n| --- | --- |\n| {} | d |"):
        assert shape(around.format(*[shown] * 2)) == shape(around.format("a", "a"))
    assert words(f"> {shown}").replace(JOINER, "") == seen(text, 100)
    cells = f"| a |\n| --- |\n| {shown} |"
    assert words(cells).replace(JOINER, "") == "a" + seen(text, 100)


@pytest.mark.parametrize("text", ATTACKS)
def test_an_attack_is_shown_as_it_is(text: str) -> None:
    test_a_text_is_shown_as_it_is_and_is_nothing_but_text.hypothesis.inner_test(text)
    nothing_is_found_in(text)


@given(text=texts)
@settings(max_examples=400, deadline=None)
def test_github_finds_nothing_to_link_in_a_text(text: str) -> None:
    nothing_is_found_in(text)


def nothing_is_found_in(text: str) -> None:
    shown = words(f"> {plain(text, 300)}")
    assert not REFERENCES.search(shown), shown
    assert not HIDING.search(shown.replace(JOINER, "")), shown


@pytest.mark.parametrize(
    "text", ["A 5-star film: it's great (really)!", "Ünïcode, 日本語 and 🎉", "I <3 it & you"]
)
def test_what_people_write_stays_as_they_wrote_it(text: str) -> None:
    assert seen(text, 300) == text
    assert words(plain(text, 300)) == text


def test_a_long_text_is_cut() -> None:
    assert seen("a" * 301, 300) == "a" * 299 + "…"
    assert seen("a" * 300, 300) == "a" * 300


@pytest.fixture
def reported(champion: Made, made: Callable[..., Made]) -> Callable[[list[str]], str]:
    """Report on a model that gets reviews right which say what a test says."""
    challenger = made("challenger", right=570)
    folders = [str(champion.folder), str(challenger.folder)]
    case = read_case(command_line(None).parse_args(folders))

    def saying(reviews: list[str]) -> str:
        def with_them(training: Training) -> Training:
            tested = training.tested.copy()
            # Whatever the others say: there are reviews of every kind.
            tested.loc[[0, 1], "review"] = [
                "not a word, but " + "word " * each for each in (30, 80)
            ]
            tested.loc[540 : 540 + len(reviews) - 1, "review"] = reviews
            told = {name: getattr(training, name) for name in Training.__dataclass_fields__}
            return Training(**told | {"tested": tested})

        assert case.champion is not None
        return report(
            Case(with_them(case.champion), with_them(case.challenger), case.limits, False)
        )

    return saying


@given(reviews=st.lists(texts, min_size=1, max_size=10))
@example(reviews=ATTACKS[:10])
@example(reviews=ATTACKS[10:20])
@example(reviews=ATTACKS[20:30])
@example(reviews=ATTACKS[-10:])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_reviews_say_the_report_stays_what_it_is(
    reported: Callable[[list[str]], str], reviews: list[str]
) -> None:
    said = reported(reviews)
    harmless = reported(["A film."] * len(reviews))
    assert shape(said) == shape(harmless)
    shown = words(said).replace(JOINER, "")
    for review in reviews:
        assert seen(review, LONGEST_REVIEW) in shown
