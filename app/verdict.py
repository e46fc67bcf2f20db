"""What the page says and draws for a judgement: words for a probability, a chart, the review with its words marked."""

import html
import unicodedata
from collections import defaultdict
from typing import Any

import pandas as pd

from app.explanation import Explanation

LONGEST_MARKED = 2_000  # words; the browser has better things to do than to paint more
# Blue and orange differ for every kind of colour vision, and are seen through on light and dark pages.
COLOURS = {"positive": "47, 129, 247", "negative": "235, 110, 20"}


def verdict(positive: float) -> str:
    """Return "positive", "negative" or "unsure" for the probability that a review is positive."""
    if positive >= 0.6:
        return "positive"
    return "negative" if positive <= 0.4 else "unsure"


def in_words(positive: float) -> str:
    """Say what a probability means: the verdict and how sure the model is of it."""
    if verdict(positive) == "unsure":
        return "Hard to tell"
    sure = max(positive, 1 - positive)
    how = "Almost certainly" if sure >= 0.95 else "Very likely" if sure >= 0.8 else "Probably"
    return f"{how} {verdict(positive)}"


def percent(chance: float) -> str:
    """Write a probability as a percentage that never claims certainty."""
    return "over 99%" if chance > 0.99 else "under 1%" if chance < 0.01 else f"{chance:.0%}"


def telling_words(explanation: Explanation, most: int = 10) -> pd.DataFrame:
    """Return the words that tipped the balance most, each with the sum of its contributions.

    Columns: `word`, lower-case and without the punctuation around it, `contribution`, in log-odds of
    "positive", and `towards`, "positive" or "negative". Sorted by size, at most `most` rows.
    """
    sums: dict[str, float] = defaultdict(float)
    for word in explanation.words:
        if word.known:
            sums[_bare(word.text)] += word.contribution
    largest = sorted(sums.items(), key=lambda item: (-abs(item[1]), item[0]))[:most]
    table = pd.DataFrame([row for row in largest if row[1]], columns=["word", "contribution"])
    table["towards"] = table["contribution"].map(lambda x: "positive" if x > 0 else "negative")
    return table


def chart(words: pd.DataFrame) -> dict[str, Any]:
    """Return `telling_words` as a chart: bars to the left (negative) and to the right (positive).

    It is a Vega-Lite specification, which the page draws; a library to write it takes seconds to load.
    """
    colours = [f"rgb({rgb})" for rgb in COLOURS.values()]
    title = "towards negative  \N{LEFTWARDS ARROW}  0  \N{RIGHTWARDS ARROW}  towards positive"
    towards = {"domain": list(COLOURS), "range": colours}
    return {
        "data": {"values": words.to_dict("records")},
        "mark": {"type": "bar", "tooltip": True},
        "height": {"step": 24},
        "encoding": {
            "x": {"field": "contribution", "type": "quantitative", "title": title},
            "y": {
                "field": "word",
                "type": "nominal",
                "sort": None,
                "title": None,
                "axis": {"labelLimit": 160},
            },
            "color": {
                "field": "towards",
                "type": "nominal",
                "scale": towards,
                "legend": None,
            },
        },
    }


def marked(review: str, explanation: Explanation) -> str:
    """Return the review as HTML in which each telling word has a coloured ground, the stronger the more it tells.

    Every character of the review is escaped: nothing that a visitor types becomes markup.
    """
    words = explanation.words[:LONGEST_MARKED]
    strongest = max((abs(word.contribution) for word in words), default=0.0)
    parts, reached = [], 0
    for word in words:
        parts.append(_escaped(review[reached : word.start]))
        strength = abs(word.contribution) / strongest if strongest else 0.0
        if strength < 0.1:
            parts.append(_escaped(word.text))
        else:
            towards = "positive" if word.contribution > 0 else "negative"
            line = "solid" if word.contribution > 0 else "dotted"  # for who does not see colours
            parts.append(
                f'<span title="{towards}" style="background: rgba({COLOURS[towards]}, {strength * 0.45:.2f}); '
                f'border-bottom: 2px {line} rgb({COLOURS[towards]}); border-radius: 3px">'
                f"{_escaped(word.text)}</span>"
            )
        reached = word.end
    style = "white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.8"
    return f'<p dir="auto" style="{style}">{"".join(parts)}</p>'


def _bare(text: str) -> str:
    stripped = text.lower().strip("".join({c for c in text if not c.isalnum()}))
    return stripped[:40] or text[:40]


def _escaped(text: str) -> str:
    visible = "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) == "Cc" and c not in "\n\t" else c
        for c in text
    )
    return html.escape(visible)
