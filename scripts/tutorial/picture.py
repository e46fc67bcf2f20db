"""The picture of the whole, one for each milestone: what stands, what is new, what is still to come."""

import html
from dataclasses import dataclass

WIDTH, HEIGHT = 760, 330


@dataclass(frozen=True)
class Box:
    """A part of the whole: the milestone that builds it, two lines of text, its middle in pixels."""

    milestone: int
    title: str
    detail: str
    x: int
    y: int


@dataclass(frozen=True)
class Arrow:
    """A way that something takes from one box to another, both by title."""

    milestone: int
    start: str
    end: str
    text: str


# Titles are unique. A milestone may replace an arrow: `until` below names the last one that shows it.
BOXES = (
    Box(0, "You", "a laptop", 90, 60),
    Box(0, "The app", "Streamlit, GET /model", 380, 60),
    Box(0, "Visitors", "a browser", 670, 60),
    Box(1, "Heroku", "releases, rollback", 380, 165),
    Box(2, "S3", "data, models", 670, 165),
    Box(3, "GitHub Actions", "tests, deploys", 90, 165),
    Box(4, "MLflow server", "EC2, nginx", 670, 270),
    Box(5, "train.ipynb", "papermill, every run logged", 380, 270),
    Box(6, "Pull request", "report, gate, review", 90, 270),
)
ARROWS = (
    Arrow(0, "You", "The app", "by hand"),
    Arrow(0, "Visitors", "The app", "reviews"),
    Arrow(1, "Heroku", "The app", "runs"),
    Arrow(2, "S3", "The app", "model"),
    Arrow(3, "You", "GitHub Actions", "push"),
    Arrow(3, "GitHub Actions", "Heroku", "deploys"),
    Arrow(4, "MLflow server", "S3", "artifacts"),
    Arrow(5, "train.ipynb", "MLflow server", "runs"),
    Arrow(6, "GitHub Actions", "Pull request", "reports"),
    Arrow(6, "Pull request", "train.ipynb", "trains"),
)
FINISHED = 99  # a milestone after the last: everything stands
HALF_WIDTH, HALF_HEIGHT = 82, 27
# What is still to come is pale, yet legible (4.5 to 1 on white); what is new is filled.
STYLES = {
    "new": ("#1f6feb", "#1f6feb", "#ffffff", ""),
    "stands": ("#ffffff", "#24292f", "#24292f", ""),
    "to come": ("#ffffff", "#c4c9ce", "#6b7177", ' stroke-dasharray="5 4"'),
}


def draw(milestone: int | None) -> str:
    """Return the picture of a milestone, or of the finished whole for None, as SVG.

    Its ground is white, so that it serves on a dark page too.
    """
    title = (
        "The whole"
        if milestone is None
        else f"Milestone {milestone}: what stands, is new, is to come"
    )
    milestone = FINISHED if milestone is None else milestone
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{title}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>',
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="context-stroke"/></marker></defs>',
    ]
    parts += [_arrow(arrow, milestone) for arrow in ARROWS]
    parts += [_box(box, milestone) for box in BOXES]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _state(of: int, milestone: int) -> str:
    return "new" if of == milestone else "stands" if of < milestone else "to come"


def _box(box: Box, milestone: int) -> str:
    fill, stroke, ink, dashes = STYLES[_state(box.milestone, milestone)]
    left, top = box.x - HALF_WIDTH, box.y - HALF_HEIGHT
    return (
        f'<g><rect x="{left}" y="{top}" width="{2 * HALF_WIDTH}" height="{2 * HALF_HEIGHT}" rx="8" '
        f'fill="{fill}" stroke="{stroke}" stroke-width="1.5"{dashes}/>'
        f'<text x="{box.x}" y="{box.y - 4}" text-anchor="middle" font-weight="600" fill="{ink}">'
        f"{html.escape(box.title)}</text>"
        f'<text x="{box.x}" y="{box.y + 14}" text-anchor="middle" font-size="11" fill="{ink}">'
        f"{html.escape(box.detail)}</text></g>"
    )


def _arrow(arrow: Arrow, milestone: int) -> str:
    ends = {box.title: box for box in BOXES}
    start, end = ends[arrow.start], ends[arrow.end]
    state = _state(arrow.milestone, milestone)
    colour = {"new": "#1f6feb", "stands": "#24292f", "to come": "#c4c9ce"}[state]
    ink = "#6b7177" if state == "to come" else colour
    x1, y1 = _edge(start, end)
    x2, y2 = _edge(end, start)
    side = x1 == x2
    x, y = (x1 + x2) / 2 + (8 if side else 0), (y1 + y2) / 2 + (4 if side else -7)
    anchor = "start" if side else "middle"
    return (
        f'<path d="M{x1:g} {y1:g}L{x2:g} {y2:g}" stroke="{colour}" stroke-width="1.5" fill="none" '
        f'marker-end="url(#a)"/><text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="11" '
        f'fill="{ink}">{html.escape(arrow.text)}</text>'
    )


def _edge(box: Box, towards: Box) -> tuple[float, float]:
    """Return where the line from a box's middle to another's crosses the box's border."""
    dx, dy = towards.x - box.x, towards.y - box.y
    scale = min(
        HALF_WIDTH / abs(dx) if dx else float("inf"),
        HALF_HEIGHT / abs(dy) if dy else float("inf"),
    )
    return round(box.x + dx * scale, 1), round(box.y + dy * scale, 1)
