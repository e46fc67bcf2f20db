"""GitHub's filter patterns for branches, tags and paths.

After "Filter pattern cheat sheet" in "Workflow syntax for GitHub Actions" of GitHub's documentation.
"""

import re
from collections.abc import Iterable, Sequence


def pattern_expression(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern; raises ValueError where it is none.

    `*` is anything but a slash, `**` anything; `?` and `+` repeat what stands before; `[]` is a set.
    """
    out, index = "", 0
    while index < len(pattern):
        rest = pattern[index:]
        taken = 1
        if rest.startswith("**/"):
            out, taken = out + "(?:.*/)?", 3
        elif rest.startswith("**"):
            out, taken = out + ".*", 2
        elif rest[0] == "*":
            out += "[^/]*"
        elif rest[0] in "?+" and out:
            out += rest[0]
        elif rest[0] == "\\" and len(rest) > 1:
            out, taken = out + re.escape(rest[1]), 2
        elif found := re.match(r"\[([\w-]+)\]", rest):
            out, taken = out + found[0], found.end()
        elif rest[0] in "?+[]":
            raise ValueError(f"the pattern {pattern!r} cannot be read")
        else:
            out += re.escape(rest[0])
        index += taken
    try:
        return re.compile(out, re.DOTALL)
    except re.error:
        raise ValueError(f"the pattern {pattern!r} cannot be read") from None


def selects(patterns: Sequence[str], name: str) -> bool:
    """Tell whether the patterns, in their order, select a name; `!` takes it away again."""
    chosen = False
    for pattern in patterns:
        if pattern_expression(pattern.removeprefix("!")).fullmatch(name):
            chosen = not pattern.startswith("!")
    return chosen


def select_any(patterns: Sequence[str], names: Iterable[str]) -> bool:
    """Tell whether the patterns select one of the names."""
    return any(selects(patterns, name) for name in names)
