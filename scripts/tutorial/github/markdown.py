"""Comments as GitHub shows them, less their HTML: it is text here, and a comment of HTML nothing."""

import html
import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

COMMENT = re.compile(r"\s*<!--.*?-->\s*", re.DOTALL)


class _Plain(RendererHTML):
    """Headings that leave those of the page around them alone, and no picture of another host."""

    def heading_open(self, tokens: Sequence[Token], index: int, *_: Any) -> str:
        return '<p class="heading">'

    def heading_close(self, tokens: Sequence[Token], index: int, *_: Any) -> str:
        return "</p>\n"

    def table_open(self, tokens: Sequence[Token], index: int, *_: Any) -> str:
        return '<table tabindex="0">\n'  # it may have to be scrolled

    def html_block(self, tokens: Sequence[Token], index: int, *_: Any) -> str:
        text = COMMENT.sub("", tokens[index].content)
        return f"<p>{html.escape(text)}</p>\n" if text.strip() else ""

    def html_inline(self, tokens: Sequence[Token], index: int, *_: Any) -> str:
        return html.escape(COMMENT.sub("", tokens[index].content))

    def image(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        said = self.renderInlineAsText(tokens[index].children, options, env)
        return html.escape(f"[picture: {said}]")

    def link_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        tokens[index].attrSet("rel", "nofollow noopener")
        return self.renderToken(tokens, index, options, env)


# HTML is read, so that it is known as such, and written by the class above alone.
_READER = MarkdownIt("commonmark", {"html": True}, renderer_cls=_Plain).enable(
    ["table", "strikethrough"]
)


def to_html(text: str) -> str:
    """Return Markdown as HTML in which no markup of the text's own takes effect."""
    return str(_READER.render(text))
