"""Text of a stranger's as Markdown that shows the text and does nothing else on GitHub."""

import re
import unicodedata

JOINER = "\N{WORD JOINER}"  # nobody sees it, and GitHub finds nothing where it stands in between
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# What is markup wherever it stands: code, emphasis, links, pictures, cells, lines through.
MARKUP = re.compile(r"[\\`*_\[\]|~]")
# What is markup where a line begins: a heading, an item, a line below a heading.
BEGINNING = re.compile(r"\A(\d*)([#+\-=]|[.)](?=\s|\Z))")
# What GitHub looks for in the text that is left: people, whom it writes to; issues, which keep the
# reference; addresses; and words between colons, which become pictures.
FOUND = (
    (re.compile(r"@"), f"{JOINER}@{JOINER}"),
    (re.compile(r"([#:])(?=\S)|(/)(?=/)"), rf"\1\2{JOINER}"),
    (re.compile(r"(?i)\b(gh)-(?=\d)"), rf"\1{JOINER}-"),
    (re.compile(r"(?i)\b(www)\."), rf"\1{JOINER}."),
)
# A commit, of which GitHub takes seven digits for the whole. Words are among them, such as "defaced".
COMMIT, SIX_DIGITS = re.compile(r"(?i)\b[0-9a-f]{7,}\b"), re.compile(r"(?i)[0-9a-f]{6}")
# Two of them enclose a formula, whatever stands before them. This one is only as wide.
DOLLAR = "\N{FULLWIDTH DOLLAR SIGN}"


def seen(text: str, longest: int) -> str:
    """Return what is to be seen of a text: one line of at most `longest` characters, never empty.

    What hides, reorders or joins other characters is left out, and every space is one.
    """
    line = " ".join("".join(map(_visible, text)).split()).replace("$", DOLLAR)
    return (line if len(line) <= longest else f"{line[: longest - 1]}…") or "(nothing)"


def plain(text: str, longest: int) -> str:
    """Return Markdown that shows `seen(text, longest)`, in a paragraph or a table's cell."""
    shown = seen(text, longest)
    shown = MARKUP.sub(lambda sign: f"\\{sign[0]}", shown)
    shown = BEGINNING.sub(r"\1\\\2", shown)
    shown = "".join(ENTITIES.get(character, character) for character in shown)
    shown = COMMIT.sub(lambda digits: SIX_DIGITS.sub(rf"\g<0>{JOINER}", digits[0]), shown)
    for found, instead in FOUND:
        shown = found.sub(instead, shown)
    return shown


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co") else character
