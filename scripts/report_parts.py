"""The parts of a report, each as Markdown: tables, figures with what they mean, reviews."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from app.behaviour import Group
from app.comparison import changed
from app.evaluation import Slice
from gate_case import Case
from gate_training import Training, Value
from gate_verdict import Verdict
from report_text import plain

REVIEWS = 10  # on which the two disagree: as many as somebody reads
LONGEST_REVIEW = 300  # characters
LONGEST_VALUE = 60
FILES = 20  # by name; whoever changes more has to be read on the pull request's own page
BINS = 5  # of confidence, 0.5 to 1
NONE = "none"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; every cell is Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def rules(verdicts: Mapping[str, Verdict]) -> str:
    """Each rule, what it says and what it saw."""
    said = ((name, "yes" if v.holds else "**no**", v.evidence) for name, v in verdicts.items())
    return table(["Rule", "Holds", "What it saw"], said)


def changes(case: Case) -> str:
    """What the challenger was made from that the champion was not: parameters, reviews, packages."""
    old, new = case.champion, case.challenger
    before = old.parameters if old else {}
    rows = [
        [plain(name, LONGEST_VALUE), _value(before, name), _value(new.parameters, name)]
        for name in dict.fromkeys([*before, *new.parameters])
        if name not in before
        or name not in new.parameters
        or not _same(before[name], new.parameters[name])
    ]
    for name, what in (
        ("data", "training reviews"),
        ("test", "test reviews"),
        ("lock", "packages"),
    ):
        if old is None or old.digests[name] != new.digests[name]:
            rows.append([what, _made_from(old, name), _made_from(new, name)])
    if not rows:
        same = old is not None and old.digests["input"] == new.digests["input"]
        return "Nothing that a model is made from." if same else "The code alone."
    return table(["Made from", "Champion", "Challenger"], rows)


def files(numstat: str) -> str:
    """Which files the pull request changes, as `git diff --numstat` counts their lines: of data, its rows.

    Names are the pull request's, so they are shown and do nothing.
    """
    rows = [line.split("\t", 2) for line in numstat.splitlines() if line.count("\t") >= 2]
    shown = [
        [plain(name, LONGEST_VALUE), *(count if count.isdecimal() else "" for count in counts)]
        for *counts, name in rows[:FILES]
    ]
    rest = f"\n\nAnd {len(rows) - FILES:,} files more." if len(rows) > FILES else ""
    return table(["File", "Lines added", "Lines removed"], shown) + rest if shown else ""


def figures(case: Case) -> str:
    """Champion against challenger, as far as there are numbers."""
    models = [case.champion, case.challenger]
    named = {
        "accuracy (95%)": [_accuracy(m.whole) if m else NONE for m in models],
        "log loss": [f"{m.log_loss:.3f}" if m else NONE for m in models],
        "calibration error": [f"{m.calibration:.3f}" if m else NONE for m in models],
        "reviews a second": [f"{m.examples_per_second:,.0f}" if m else NONE for m in models],
        "seconds to train": [f"{m.seconds:,.1f}" if m else NONE for m in models],
        "MB in memory": [f"{m.memory_bytes / 1e6:,.1f}" if m else NONE for m in models],
        "MB as a file": [f"{m.file_bytes / 1e6:,.1f}" if m else NONE for m in models],
    }
    rows = [[name, *cells] for name, cells in named.items()]
    return table(["Figure", "Champion", "Challenger"], rows)


def slices(case: Case) -> str:
    """Accuracy on reviews of each kind."""
    before = case.champion.slices if case.champion else {}
    rows = [
        [kind, f"{part.rows:,}", _accuracy(before[kind]) if before else NONE, _accuracy(part)]
        for kind, part in case.challenger.slices.items()
    ]
    return table(["Reviews", "Rows", "Champion", "Challenger"], rows)


def behaviour(case: Case) -> str:
    """How many cases of each group they pass."""
    before = case.champion.behaviour if case.champion else {}
    rows = [
        [
            plain(name, LONGEST_VALUE),
            _passed(before.get(name)),
            _passed(group),
            NONE if group.floor is None else f"{group.floor:.0%}",
            "yes" if group.holds else "**no**",
        ]
        for name, group in case.challenger.behaviour.items()
    ]
    return table(["Group", "Champion", "Challenger", "Floor", "Holds"], rows)


def reliability(case: Case) -> str:
    """How sure they are, on average in each bin of confidence, and how often right."""
    models = [each for each in (case.champion, case.challenger) if each]
    rows = []
    for number in range(BINS):
        low, high = (0.5 + (number + more) / (2 * BINS) for more in (0, 1))
        cells = [cell for model in models for cell in _bin(model, number)]
        rows.append([f"{low:.0%} to {high:.0%}", *cells])
    whose = ["champion", "challenger"][-len(models) :]
    head = [f"{who} {what}" for who in whose for what in ("said", "right", "rows")]
    return table(["Sure", *head], rows)


def disagreements(case: Case) -> str:
    """The reviews on which the two differ, with the largest distance between their answers first."""
    old, new = case.champion, case.challenger
    if old is None:
        return "There is no champion to disagree with."
    repaired, broken = changed(old.positive, new.positive, new.truth)
    distance = np.abs(old.positive - new.positive)
    rows = sorted([*repaired, *broken], key=lambda row: (-distance[row], row))[:REVIEWS]
    if not rows:
        return "They agree on every review."
    return "\n\n".join(_judged(old, new, int(row)) for row in rows)


def digests(case: Case) -> str:
    """What was compared, to the bit; folded."""
    named = [
        (who, m) for who, m in (("champion", case.champion), ("challenger", case.challenger)) if m
    ]
    rows = [
        [f"{who}, {name}", f"`{digest}`"]
        for who, model in named
        for name, digest in (*model.digests.items(), ("commit", model.commit))
    ]
    return f"<details><summary>Digests</summary>\n\n{table(['Of', 'sha256'], rows)}\n\n</details>"


def _judged(old: Training, new: Training, row: int) -> str:
    who = "challenger" if new.right[row] else "champion"
    label = "positive" if new.truth[row] else "negative"
    said = f"champion {old.positive[row]:.0%}, challenger {new.positive[row]:.0%} positive"
    review = plain(str(new.tested["review"].iloc[row]), LONGEST_REVIEW)
    return f"Row {row + 1:,} is **{label}** and the {who} is right: {said}.\n\n> {review}"


def _bin(model: Training, number: int) -> list[str]:
    sure: NDArray[np.float64] = np.maximum(model.positive, 1 - model.positive)
    in_it = np.minimum(((sure - 0.5) * 2 * BINS).astype(int), BINS - 1) == number
    if not in_it.any():
        return [NONE, NONE, "0"]
    return [f"{sure[in_it].mean():.0%}", f"{model.right[in_it].mean():.0%}", f"{in_it.sum():,}"]


def _accuracy(part: Slice) -> str:
    low, high = part.accuracy_interval
    return f"{part.accuracy:.1%} ({low:.1%} to {high:.1%})"


def _passed(group: Group | None) -> str:
    return f"{group.passed} of {group.cases}" if group else NONE


def _value(parameters: Mapping[str, Value], name: str) -> str:
    return plain(str(parameters[name]), LONGEST_VALUE) if name in parameters else NONE


def _same(one: Value, other: Value) -> bool:
    """Tell whether a parameter kept its value: True is no 1, but 1 is 1.0."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _made_from(model: Training | None, name: str) -> str:
    if model is None:
        return NONE
    rows = {"data": model.data_rows, "test": len(model.truth)}.get(name)
    return f"`{model.digests[name][:12]}`" + ("" if rows is None else f", {rows:,} rows")
