"""Make a stranger's Markdown harmless in a comment: it keeps words, tables and folded parts, and does nothing."""

import re
import unicodedata

# What a report needs of HTML, letter by letter; every other `<` is shown as one.
TAGS = re.compile(r"</?(?:details|summary|sub|br)>")
ENTITIES = re.compile(r"&(?:lt|gt|amp|quot|nbsp);")
# Nobody sees it, and GitHub finds no name, number, address or link where it stands in between.
JOINER = "\N{WORD JOINER}"
BROKEN = (
    (re.compile(rf"@(?!{JOINER})"), f"@{JOINER}"),  # a mention sends mail
    (re.compile(rf"(?<!{JOINER})@"), f"{JOINER}@"),  # and so may an address
    (re.compile(r"#(?=\d)"), f"#{JOINER}"),  # so does a reference, and it stays on the issue
    (re.compile(r"(?i)\b(gh)-(?=\d)"), rf"\1{JOINER}-"),
    (re.compile(r"/(?=/)"), f"/{JOINER}"),  # an address, of a picture too
    (re.compile(r"(?i)(www|mailto|xmpp)([.:])"), rf"\1{JOINER}\2"),
    (re.compile(r"\]([(\[:])"), rf"]{JOINER}\1"),  # a link, a picture, what a link leads to
)


def harmless(text: str) -> str:
    """Return Markdown that links, mentions, loads and hides nothing, whoever wrote `text`."""
    # Tags and entities first: what the second look finds is what a reader's browser would.
    shown = "".join(map(_visible, text.replace("\r\n", "\n")))
    shown = _all_but(ENTITIES, _all_but(TAGS, shown, "<", "&lt;"), "&", "&amp;")
    for found, instead in BROKEN:
        shown = found.sub(instead, shown)
    return shown


def _visible(character: str) -> str:
    """Return a character; nothing for those that hide, reorder or stop text."""
    category = unicodedata.category(character)
    kept = ("\n", "\t", JOINER)  # a report has joiners of its own
    return "" if category in ("Cc", "Cf", "Cs", "Co") and character not in kept else character


def _all_but(kept: re.Pattern[str], text: str, character: str, instead: str) -> str:
    """Replace a character everywhere but in what is kept."""
    parts, last = [], 0
    for found in kept.finditer(text):
        parts += [text[last : found.start()].replace(character, instead), found[0]]
        last = found.end()
    return "".join([*parts, text[last:].replace(character, instead)])
