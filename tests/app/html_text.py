"""What a browser makes of a piece of HTML: its elements, and the text that is seen."""

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Seen:
    """The text, the elements in order with their attributes, and anything else: comments and the like."""

    text: str = ""
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self, seen: Seen) -> None:
        super().__init__(convert_charrefs=True)
        self.seen = seen
        self.open: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(len(self.seen.elements))
        self.seen.elements.append((tag, dict(attrs)))
        self.seen.inside.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.seen.elements[self.open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        self.seen.text += data
        for element in self.open:
            self.seen.inside[element] += data

    def handle_comment(self, data: str) -> None:
        self.seen.others.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def seen(html: str) -> Seen:
    """Read HTML; every element must be closed."""
    result = Seen()
    reader = _Reader(result)
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return result
