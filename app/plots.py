"""Pictures of how good a model is, each of which can also be told in words.

The app itself never imports this module: it needs matplotlib, which the app's requirements leave out.
"""

import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter
from numpy.typing import ArrayLike

from app.evaluation import Evaluation, calibration_error, wilson_interval
from app.telling import Telling

# Of the palette of Okabe and Ito (2008): people who see colours otherwise can tell these apart.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#6B6B6B"
# Inches, so that 12 points of type are 12 pixels where the picture is 400 pixels wide.
WIDTH, HEIGHT, DOTS_PER_INCH = 4.8, 3.3, 150
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,  # a dollar sign in a review is one
}
SHOWN = (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 25_000)  # rows of test sets
BINS = 5

Given = ParamSpec("Given")


class Plot(Figure):
    """A figure on a ground of its own, and `alt`, what it shows in words and numbers.

    A notebook shows it with that text; `savefig` writes the picture alone.
    """

    alt: str = ""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        picture = io.BytesIO()
        self.savefig(picture, format="png", dpi=DOTS_PER_INCH)
        data = base64.b64encode(picture.getvalue()).decode()
        shown = (
            f'<img alt="{html.escape(self.alt)}" src="data:image/png;base64,{data}" '
            f'style="width: 100%; max-width: {100 * WIDTH:.0f}px; background: #fff">'
        )
        return {"text/html": shown, "image/png": data, "text/plain": self.alt}


def _drawn(draw: Callable[Given, tuple[Plot, str]]) -> Callable[Given, Plot]:
    """Let a function draw in this module's style, whatever a user has set, and keep its words."""

    @wraps(draw)
    def plot(*args: Given.args, **kwargs: Given.kwargs) -> Plot:
        with style.context(["default", STYLE]):
            figure, told = draw(*args, **kwargs)
        figure.alt = told
        return figure

    return plot


def _axes(title: str, height: float = HEIGHT) -> tuple[Plot, Axes]:
    figure = Plot(figsize=(WIDTH, height), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left")
    return figure, axes


def _tested(probabilities: ArrayLike, positive: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(probabilities, dtype=float), np.asarray(positive, dtype=bool)


@_drawn
def confusion(probabilities: ArrayLike, positive: ArrayLike) -> tuple[Plot, str]:
    """Draw how many reviews of either sentiment were judged as which; both arguments have shape (n,)."""
    chance, truth = _tested(probabilities, positive)
    said = chance >= 0.5
    counts = np.array([[int(((said == s) & (truth == t)).sum()) for s in (0, 1)] for t in (0, 1)])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right, rows = int(np.trace(counts)), int(counts.sum())
    figure, axes = _axes(f"{right:,} of {rows:,} judged rightly")
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        # What stands on a colour is black or white, whichever has the stronger contrast (WCAG 2).
        luminance = np.dot(np.array(image.cmap(share)[:3]) ** 2.2, (0.2126, 0.7152, 0.0722))
        colour = "black" if luminance > 0.18 else "white"
        text = f"{count:,}\n{share:.0%}"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=15)
    names = ("negative", "positive")
    axes.set_xticks((0, 1), names)
    axes.set_yticks((0, 1), names, rotation=90, va="center")
    axes.set(xlabel="the model says", ylabel="the review is")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    told = "; ".join(
        f"of {counts[t].sum():,} {names[t]} reviews {counts[t, t]:,} are judged rightly ({shares[t, t]:.0%}) "
        f"and {counts[t, 1 - t]:,} wrongly"
        for t in (1, 0)
    )
    return figure, f"Confusion matrix: {told}."


@_drawn
def reliability(probabilities: ArrayLike, positive: ArrayLike) -> tuple[Plot, str]:
    """Draw how often the model is right against how sure it is; both arguments have shape (n,)."""
    chance, truth = _tested(probabilities, positive)
    sure, hit = np.maximum(chance, 1 - chance), (chance >= 0.5) == truth
    number = np.minimum(((sure - 0.5) * 2 * BINS).astype(int), BINS - 1)
    figure, axes = _axes("Is it as sure as it may be?")
    axes.plot([0.5, 1], [0.5, 1], "--", color=GREY, label="as sure as it is right")
    told, points = [], []
    for each in np.unique(number):
        in_it = number == each
        rows, right = int(in_it.sum()), int(hit[in_it].sum())
        points.append((float(sure[in_it].mean()), right / rows, *wilson_interval(right, rows)))
        low, high = (0.5 + (each + more) / (2 * BINS) for more in (0, 1))
        told.append(
            f"{low:.0%} to {high:.0%} sure: right in {right / rows:.0%} of {rows:,} reviews"
        )
    x, y, low_ends, high_ends = (np.array(column) for column in zip(*points, strict=True))
    ends = [y - low_ends, high_ends - y]
    label = "this model, with 95% interval"
    axes.errorbar(x, y, ends, fmt="o-", color=BLUE, capsize=4, label=label)
    axes.set(xlabel="how sure it is", ylabel="how often it is right", xlim=(0.49, 1.01))
    axes.set_ylim(min(0.48, float(low_ends.min()) - 0.02), 1.02)
    _in_percent(axes, "xy")
    axes.legend(frameon=False, loc="lower right")
    error = calibration_error(chance, truth)
    return figure, f"Reliability: {'; '.join(told)}. The calibration error is {error:.3f}."


@_drawn
def learning_curve(measured: Sequence[tuple[int, Evaluation]]) -> tuple[Plot, str]:
    """Draw accuracy, with its interval, against the number of reviews that a model learned from."""
    figure, axes = _axes("What more reviews to learn from give")
    rows = [number for number, _ in measured]
    accuracy = np.array([result.accuracy for _, result in measured])
    low, high = np.array([result.accuracy_interval for _, result in measured]).T
    axes.fill_between(rows, low, high, color=BLUE, alpha=0.2, linewidth=0, label="95% interval")
    axes.plot(rows, accuracy, "o-", color=BLUE, label="accuracy")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(rows))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{number:,}" for number in rows])
    axes.set(xlabel="reviews to learn from", ylabel="right on unseen films")
    _in_percent(axes, "y")
    axes.legend(frameon=False, loc="lower right")
    told = "; ".join(
        f"{number:,} reviews: {result.accuracy:.1%}, between {result.accuracy_interval[0]:.1%} and "
        f"{result.accuracy_interval[1]:.1%}"
        for number, result in measured
    )
    return figure, f"Learning curve, accuracy on unseen films. {told}."


@_drawn
def telling_words(words: Sequence[Telling]) -> tuple[Plot, str]:
    """Draw what words add to the log-odds on average, as `app.telling.most_telling` returns them."""
    figure, axes = _axes("What a word adds on average", height=0.6 + 0.27 * max(len(words), 4))
    adds = [each.contribution for each in words]
    axes.barh(range(len(words)), adds, color=[BLUE if add > 0 else ORANGE for add in adds])
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(range(len(words)), [each.word for each in words])
    axes.set_ylim(-0.6, len(words) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("negative  ←  log-odds  →  positive")
    told = [
        f"for {name}: {', '.join(f'{w.word} {w.contribution:+.2f}' for w in chosen)}"
        for name, chosen in (
            ("negative", [each for each in words if each.contribution < 0]),
            ("positive", [each for each in reversed(words) if each.contribution > 0]),
        )
        if chosen
    ]
    return figure, f"The most telling words and what each adds to the log-odds, {'; '.join(told)}."


@_drawn
def certainty(accuracy: float, rows: int) -> tuple[Plot, str]:
    """Draw how wide the 95% interval of an accuracy is, against the rows of a test set; `rows` is marked."""
    figure, axes = _axes(f"How sure is an accuracy of {accuracy:.0%}?")
    numbers = np.unique(np.geomspace(SHOWN[0], SHOWN[-1], 60).astype(int))
    ends = np.array([wilson_interval(accuracy * n, n) for n in numbers])
    axes.fill_between(numbers, ends[:, 0], ends[:, 1], color=BLUE, alpha=0.2, linewidth=0)
    axes.axhline(accuracy, color=BLUE)
    low, high = wilson_interval(accuracy * rows, rows)
    axes.vlines(rows, low, high, color=ORANGE, linewidth=3)
    axes.annotate(
        f" {rows:,} rows:\n {low:.1%} to {high:.1%}", (rows, low), va="top", color="black"
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator((100, 1_000, 10_000)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels(("100", "1,000", "10,000"))
    axes.set(xlabel="reviews in the test set", ylabel="95% interval")
    _in_percent(axes, "y")
    told = "; ".join(
        "{:,} reviews: {:.1%} to {:.1%}".format(n, *wilson_interval(accuracy * n, n))
        for n in sorted({*SHOWN, rows})
    )
    return figure, f"The 95% interval of an accuracy of {accuracy:.1%}. {told}."


@_drawn
def runs(measured: Mapping[str, tuple[float, float, float]]) -> tuple[Plot, str]:
    """Draw accuracies with their 95% intervals, each (accuracy, low, high), by the name of their run."""
    figure, axes = _axes("Accuracy of each run, with its 95% interval", 1.4 + 0.35 * len(measured))
    places = np.arange(len(measured))[::-1]
    for place, (share, low, high) in zip(places, measured.values(), strict=True):
        axes.plot([low, high], [place, place], color=BLUE, linewidth=3, alpha=0.35)
        axes.plot(share, place, "o", color=BLUE)
    axes.set_yticks(places, list(measured))
    axes.set_ylim(-0.6, len(measured) - 0.4)
    axes.set_xlabel("right on reviews of films that it never saw")
    _in_percent(axes, "x")
    told = "; ".join(
        f"{name}: {share:.1%}, between {low:.1%} and {high:.1%}"
        for name, (share, low, high) in measured.items()
    )
    return figure, f"Accuracy of each run with its 95% interval. {told}."


def _in_percent(axes: Axes, which: str) -> None:
    for name in which:
        axis = axes.xaxis if name == "x" else axes.yaxis
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
