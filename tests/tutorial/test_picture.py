"""The picture of the whole, for every milestone."""

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest
from small_notebook import cells_of

from tutorial.milestones import Milestone, all_milestones
from tutorial.picture import ARROWS, BOXES, HEIGHT, STYLES, WIDTH, draw

SVG = "{http://www.w3.org/2000/svg}"
every_picture = pytest.mark.parametrize("milestone", [*range(7), None])
# What each milestone builds, as the design's table has it.
BUILT = {
    0: {"You", "The app", "Visitors"},
    1: {"Heroku"},
    2: {"S3"},
    3: {"GitHub Actions"},
    4: {"MLflow server"},
    5: {"train.ipynb"},
    6: {"Pull request"},
}


def parsed(milestone: int | None) -> ElementTree.Element:
    return ElementTree.fromstring(draw(milestone))  # noqa: S314 (our own)


def boxes(milestone: int | None) -> dict[str, ElementTree.Element]:
    """The rectangles of the parts by title."""
    return {
        str(group.findtext(f"{SVG}text")): rectangle
        for group in parsed(milestone).iter(f"{SVG}g")
        for rectangle in group.iter(f"{SVG}rect")
    }


def state(rectangle: ElementTree.Element) -> str:
    """Tell by its looks whether a part is new, stands or is to come."""
    looks = (rectangle.get("fill"), rectangle.get("stroke"))
    [found] = [name for name, style in STYLES.items() if style[:2] == looks]
    assert ("stroke-dasharray" in rectangle.attrib) == (found == "to come")
    return found


def edges(rectangle: ElementTree.Element) -> tuple[float, float, float, float]:
    """Left, top, right and bottom."""
    x, y, w, h = (float(rectangle.get(k, "")) for k in ("x", "y", "width", "height"))
    return x, y, x + w, y + h


@every_picture
def test_a_picture_is_well_formed_and_says_what_it_is(milestone: int | None) -> None:
    svg = parsed(milestone)
    assert svg.tag == f"{SVG}svg"
    assert svg.get("role") == "img"
    title = str(svg.findtext(f"{SVG}title"))
    expected = "The whole" if milestone is None else f"Milestone {milestone}: "
    assert title.startswith(expected)


@every_picture
def test_boxes_do_not_overlap_and_are_in_the_picture(milestone: int | None) -> None:
    places = [edges(rectangle) for rectangle in boxes(milestone).values()]
    assert len(places) == len(BOXES)
    for left, top, right, bottom in places:
        assert 0 <= left < right <= WIDTH
        assert 0 <= top < bottom <= HEIGHT
    for a, b in combinations(places, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (a, b)


@pytest.mark.parametrize("milestone", BUILT)
def test_what_is_new_stands_and_is_to_come_is_as_the_design_says(
    milestone: int,
) -> None:
    expected = {
        title: "new" if of == milestone else "stands" if of < milestone else "to come"
        for of, titles in BUILT.items()
        for title in titles
    }
    assert {t: state(r) for t, r in boxes(milestone).items()} == expected


def test_in_the_whole_everything_stands() -> None:
    assert {state(rectangle) for rectangle in boxes(None).values()} == {"stands"}


def test_an_arrow_is_not_drawn_before_both_its_ends_stand() -> None:
    built = {box.title: box.milestone for box in BOXES}
    for arrow in ARROWS:
        assert arrow.milestone >= max(built[arrow.start], built[arrow.end]), arrow


@every_picture
def test_no_arrow_leads_through_a_third_box(milestone: int | None) -> None:
    places = [edges(rectangle) for rectangle in boxes(milestone).values()]
    arrows = [p.get("d", "") for p in parsed(milestone).findall(f"{SVG}path")]
    assert len(arrows) == len(ARROWS)
    for d in arrows:
        x1, y1, x2, y2 = map(float, re.findall(r"-?[\d.]+", d))
        for step in range(1, 100):
            x, y = x1 + (x2 - x1) * step / 100, y1 + (y2 - y1) * step / 100
            inside = [p for p in places if p[0] < x < p[2] and p[1] < y < p[3]]
            assert inside == [], d


@pytest.mark.parametrize("milestone", all_milestones(), ids=lambda m: str(m.number))
def test_the_notebook_tells_its_picture_in_words(milestone: Milestone) -> None:
    first = cells_of(milestone.notebook)[0].source
    alt = str(re.search(r"!\[(.+)\]\(", first).group(1))  # type: ignore[union-attr]
    by_state: dict[str, set[str]] = {}
    for title, rectangle in boxes(milestone.number).items():
        by_state.setdefault(state(rectangle), set()).add(title)
    told = {
        heading.lower(): set(titles.split(", "))
        for heading, titles in re.findall(r"(New|Stands|To come): (.+?)\.(?= |$)", alt)
    }
    assert told == by_state
