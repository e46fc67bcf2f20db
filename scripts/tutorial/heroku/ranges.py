"""The `Range` header of lists: `version ..; order=desc,max=10`, and `Next-Range` for what is left."""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from tutorial.heroku.errors import ApiError

DEFAULT_MAX = 200
LARGEST_MAX = 1000
HEADER = re.compile(r"\s*(\w+)\s+(\]?)([^.;\s]*)\s*\.\.\s*([^;\s]*)\s*(?:;(.*))?")


def part(
    request: web.Request, items: Sequence[dict[str, Any]], keys: Sequence[str]
) -> web.Response:
    """Answer with the part of a list that is asked for: 206 where there is more.

    The items come in their usual order, which is by the first key or as they were made.
    """
    header = request.headers.get("Range", "")
    key, order, largest = keys[0], "asc", DEFAULT_MAX
    found = list(items)
    if header:
        match = HEADER.fullmatch(header)
        if match is None or match[1] not in keys:
            raise unsatisfiable(f"use one of {', '.join(keys)}, as in `{keys[0]} ..; max=10`")
        key = match[1]
        options = dict(re.findall(r"(\w+)\s*=\s*(\w+)", match[5] or ""))
        order = options.get("order", "asc")
        number = options.get("max", str(DEFAULT_MAX))
        if (
            order not in ("asc", "desc")
            or not number.isdecimal()
            or not 0 < int(number) <= LARGEST_MAX
        ):
            raise unsatisfiable(f"order is asc or desc, max is 1 to {LARGEST_MAX}")
        largest = int(number)
        found.sort(key=lambda item: item[key], reverse=order == "desc")
        found = between(found, key, order, match[2], match[3], match[4])
    headers = {"Accept-Ranges": ", ".join(keys)}
    shown = found[:largest]
    if shown:
        headers["Content-Range"] = f"{key} {shown[0][key]}..{shown[-1][key]}"
    if len(found) > largest:
        headers["Next-Range"] = f"{key} ]{shown[-1][key]}..; max={largest}, order={order}"
    return web.json_response(shown, status=206 if len(found) > largest else 200, headers=headers)


def between(
    items: list[dict[str, Any]], key: str, order: str, exclusive: str, start: str, end: str
) -> list[dict[str, Any]]:
    """Keep the items from `start` (or after it) to `end`, in the order that they have."""
    read: Callable[[str], Any] = str
    if items and isinstance(items[0][key], int):
        if not all(word == "" or word.isdecimal() for word in (start, end)):
            raise unsatisfiable(f"{key} is a number")
        read = int
    before: Callable[[Any, Any], bool] = operator.ge if order == "desc" else operator.le
    if start:
        first = read(start)
        items = [i for i in items if before(first, i[key]) and not (exclusive and i[key] == first)]
    if end:
        items = [item for item in items if before(item[key], read(end))]
    return items


def unsatisfiable(why: str) -> ApiError:
    """The error for a `Range` header that makes no sense."""
    return ApiError(
        416, "requested_range_not_satisfiable", f"The Range header cannot be met: {why}."
    )
