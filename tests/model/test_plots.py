"""The pictures: readable at 400 pixels, whole, in colours for everybody, and told in words with their numbers.

Not among the app's own tests: matplotlib is not among their requirements.
"""

import ast
import base64
import html
import re
from collections.abc import Callable
from io import BytesIO

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from matplotlib import colors
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from app.evaluation import Evaluation, calibration_error, wilson_interval
from app.plots import (
    BLUE,
    ORANGE,
    Plot,
    certainty,
    confusion,
    learning_curve,
    reliability,
    telling_words,
)
from app.telling import Telling
from tutorial.home import PROJECT

CHANCES = [0.97, 0.93, 0.85, 0.55, 0.3, 0.2, 0.04, 0.65, 0.02, 0.99] * 9
TRUTH = [True, True, True, False, False, False, False, False, True, True] * 9
WORDS = [Telling("waste", 8, -1.86), Telling("$5 & <dull>$", 5, -1.2), Telling("loved", 14, 2.39)]


def result(accuracy: float, rows: int) -> Evaluation:
    interval = wilson_interval(accuracy * rows, rows)
    return Evaluation(rows, accuracy, interval, 0.2, 0.03, 1000.0, {})


MEASURED = [(50, result(0.69, 528)), (400, result(0.87, 528)), (1512, result(0.94, 528))]
PLOTS: dict[str, Callable[[], Plot]] = {
    "confusion": lambda: confusion(CHANCES, TRUTH),
    "reliability": lambda: reliability(CHANCES, TRUTH),
    "learning curve": lambda: learning_curve(MEASURED),
    "telling words": lambda: telling_words(WORDS),
    "certainty": lambda: certainty(0.947, 528),
}
each_plot = pytest.mark.parametrize("draw", PLOTS.values(), ids=PLOTS)


def png(figure: Figure) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def texts(figure: Figure) -> list[Text]:
    """What can be read in the picture."""
    figure.draw_without_rendering()
    found = [artist for artist in figure.findobj(Text) if isinstance(artist, Text)]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


@each_plot
def test_type_is_readable_where_the_picture_is_400_pixels_wide(draw: Callable[[], Plot]) -> None:
    figure = draw()
    for text in texts(figure):
        pixels = float(text.get_fontsize()) / 72 / figure.get_figwidth() * 400
        assert pixels >= 11, text


@each_plot
def test_nothing_is_cut_off(draw: Callable[[], Plot]) -> None:
    """What is cut off leaves ink on the edge of the picture."""
    ink = imread(BytesIO(png(draw())))[..., :3].min(axis=2) < 1
    assert ink.any()
    assert not np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]]).any()


def luminance(colour: object) -> float:
    """Relative luminance as WCAG 2 defines it."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in colors.to_rgb(colour)  # type: ignore[arg-type]
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: object, other: object) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def assert_enough_contrast(figure: Plot) -> None:
    assert colors.to_rgba(figure.get_facecolor()) == (1, 1, 1, 1)
    [axes] = figure.axes
    for text in texts(figure):
        ground: object = axes.get_facecolor()
        if axes.images and text in axes.texts:  # on a cell of the confusion matrix
            [image] = axes.images
            column, row = text.get_position()
            ground = image.cmap(image.norm(np.asarray(image.get_array())[int(row), int(column)]))
        assert contrast(text.get_color(), ground) >= 4.5, text


@each_plot
def test_it_stands_on_a_light_ground_of_its_own_with_enough_contrast(
    draw: Callable[[], Plot],
) -> None:
    assert_enough_contrast(draw())
    assert contrast(BLUE, "white") >= 3
    assert contrast(ORANGE, "white") >= 3


def test_whatever_a_share_is_its_number_can_be_read() -> None:
    for right in range(0, 101, 4):
        chances = [1.0] * right + [0.0] * (100 - right) + [0.0] * 100
        assert_enough_contrast(confusion(chances, [True] * 100 + [False] * 100))


def test_a_confusion_in_words_counts_what_a_pencil_counts() -> None:
    alt = confusion(CHANCES, TRUTH).alt
    assert "of 45 positive reviews 36 are judged rightly (80%) and 9 wrongly" in alt
    assert "of 45 negative reviews 27 are judged rightly (60%) and 18 wrongly" in alt
    numbers = {text.get_text() for text in texts(confusion(CHANCES, TRUTH))}
    assert {"36\n80%", "9\n20%", "27\n60%", "18\n40%", "63 of 90 judged rightly"} <= numbers


def test_a_reliability_in_words_has_every_bin_and_the_calibration_error() -> None:
    alt = reliability(CHANCES, TRUTH).alt
    assert alt.startswith("Reliability: 50% to 60% sure: right in 0% of 9 reviews; 60% to 70% sure")
    assert "90% to 100% sure: right in 80% of 45 reviews" in alt
    assert f"calibration error is {calibration_error(CHANCES, TRUTH):.3f}." in alt


def test_who_is_quite_sure_is_in_the_last_bin() -> None:
    alt = reliability([1.0, 0.0, 0.95], [True, True, True]).alt
    assert alt.startswith("Reliability: 90% to 100% sure: right in 67% of 3 reviews. ")


def test_a_learning_curve_in_words_has_every_point() -> None:
    alt = learning_curve(MEASURED).alt
    low, high = wilson_interval(0.94 * 528, 528)
    assert f"1,512 reviews: 94.0%, between {low:.1%} and {high:.1%}" in alt
    assert "50 reviews: 69.0%" in alt


def test_telling_words_in_words() -> None:
    assert telling_words(WORDS).alt == (
        "The most telling words and what each adds to the log-odds, for negative: waste -1.86, "
        "$5 & <dull>$ -1.20; for positive: loved +2.39."
    )


def test_a_word_stands_as_it_was_written() -> None:
    [label] = [text for text in texts(telling_words(WORDS)) if "dull" in text.get_text()]
    assert not label.get_parse_math()


def test_certainty_in_words_is_the_interval_of_wilson() -> None:
    alt = certainty(0.947, 528).alt
    low, high = wilson_interval(0.947 * 528, 528)
    assert f"528 reviews: {low:.1%} to {high:.1%}" in alt
    assert alt.index("500 reviews") < alt.index("528 reviews") < alt.index("1,000 reviews")


@each_plot
def test_a_notebook_shows_it_with_its_words(draw: Callable[[], Plot]) -> None:
    figure = draw()
    shown, _ = DisplayFormatter().format(figure)
    assert shown["text/plain"] == figure.alt
    tag = re.fullmatch(
        r'<img alt="([^"]+)" src="data:image/png;base64,([^"]+)" .*>', shown["text/html"]
    )
    assert tag
    assert html.unescape(tag[1]) == figure.alt
    assert "<" not in tag[1]
    assert base64.b64decode(tag[2]).startswith(b"\x89PNG")
    assert len(shown["text/html"]) < 200_000


@each_plot
def test_a_reader_s_own_style_changes_nothing(draw: Callable[[], Plot]) -> None:
    expected = png(draw())
    with matplotlib.style.context(["dark_background", {"font.size": 3, "text.usetex": True}]):
        assert matplotlib.rcParams["font.size"] == 3
        figure = draw()
        assert matplotlib.rcParams["font.size"] == 3
    assert png(figure) == expected


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=8))
def test_few_reviews_can_be_drawn_too(rows: list[tuple[float, bool]]) -> None:
    chances, truth = zip(*rows, strict=True)
    for figure in (confusion(chances, truth), reliability(chances, truth)):
        figure.draw_without_rendering()
        assert "nan" not in figure.alt


def test_one_point_and_no_words_can_be_drawn_too() -> None:
    for figure in (learning_curve(MEASURED[:1]), telling_words(WORDS[:1]), telling_words([])):
        png(figure)


def test_no_module_that_serves_needs_matplotlib() -> None:
    """A training draws, and what it leaves behind; whoever serves or judges does without."""
    for path in (PROJECT / "app").rglob("*.py"):
        names = {
            name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        needs = {name for name in names if name.startswith(("matplotlib", "app.plots"))}
        assert not needs or path.name in ("plots.py", "training_record.py"), path
