"""Texts that visitors may type: whatever Unicode has, among words that a model knows."""

from hypothesis import strategies as st

KNOWN = "great Great boring not NOT a film the funny warm dull don't don\u2019t not-great (great!)"
# Letters that change their length or their form in lower case, signs that go the other way, and no letters at all.
STRANGE = (
    "İstanbul İ STRAẞE ß ΟΔΟΣ Σ ﬁlm é e\u0301 i\u0307 😀 👩‍👩‍👧 🎬great נפלא رائع 素晴らしい ไม่ดี "
    "\u202egreat\u202c \0 \x1b[0m \x7f \u200b \ufeff _ \uff17"
)
SPACE = (" ", "  ", "\n", "\t", "\r\n", "\x1f", "\x85", "\u2028", "\u00a0", "\u3000", "")
MARKUP = (
    "<script>alert(1)</script> <img/src=x/onerror=alert(1)> </p> </span> <b>great</b> & < > \" ' "
    "&lt; &amp; &#60; &#x3c <!-- --> <![CDATA[ ]]> <?php **boring** $x$ :material/x: {{7*7}}"
)


def reviews() -> st.SearchStrategy[str]:
    """Any text: runs of any characters, known words, strange ones and markup, with any space between."""
    known, strange = (st.sampled_from(w.split(" ")) for w in (KNOWN, f"{STRANGE} {MARKUP}"))
    piece = st.tuples(st.one_of(known, strange, st.text()), st.sampled_from(SPACE))
    return st.one_of(st.text(), st.lists(piece.map("".join), max_size=12).map("".join))
