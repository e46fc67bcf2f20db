"""A stack's change as it happens: each step told, and of one that fails, which resource and why."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from tracking_account import SetupError
from tracking_stack import PAUSE, Stack

Event = dict[str, Any]
Say = Callable[[str], object]

AFTER = {
    "ROLLBACK_COMPLETE": "It was rolled back: nothing of it runs. Mend that, and run `up` again.",
    "UPDATE_ROLLBACK_COMPLETE": "It was rolled back: all is as it was before.",
}
LEFT = "It could not be rolled back either: look at it with `status`, and run `down`."
GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE")


class Progress:
    """What happens to a stack from now on."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._known = stack, set[str]()
        self._id = ""
        if found := stack.look():
            self._id = found["StackId"]
            self._known = {event["EventId"] for event in self._events()}

    def follow(self, say: Say, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Tell every step until the last, and do `meanwhile` between them.

        Raises `SetupError` where the change fails: at which resource, why, and what that leaves.
        """
        self._id = self._id or (self._stack.look() or {})["StackId"]
        mine: list[Event] = []
        while True:
            meanwhile()
            # A stack that was removed has its id only, its name is free again.
            found = self._stack.api.describe_stacks(StackName=self._id)["Stacks"][0]
            new = [event for event in self._events() if event["EventId"] not in self._known]
            for event in reversed(new):  # the newest come first
                self._known.add(event["EventId"])
                mine.append(event)
                say(_line(event))
            if not found["StackStatus"].endswith("_IN_PROGRESS"):
                break
            time.sleep(PAUSE)
        if found["StackStatus"] not in GOOD:
            raise SetupError(f"{_why(mine, found)} {AFTER.get(found['StackStatus'], LEFT)}")

    def _events(self) -> Iterator[Event]:
        pages = self._stack.api.get_paginator("describe_stack_events")
        for page in pages.paginate(StackName=self._id):
            yield from page["StackEvents"]


def _line(event: Event) -> str:
    when = event["Timestamp"].astimezone()
    return f"{when:%H:%M:%S}  {event['LogicalResourceId']:<20}  {event['ResourceStatus']}"


def _why(events: list[Event], stack: dict[str, Any]) -> str:
    """Say what failed first. What was cancelled after that failed for no reason of its own."""
    failed = [
        event
        for event in events
        if event["ResourceStatus"].endswith("_FAILED")
        and "cancelled" not in event.get("ResourceStatusReason", "").lower()
    ]
    if not failed:
        reason = stack.get("StackStatusReason") or stack["StackStatus"]
        return f"The stack {stack['StackName']} failed: {reason.rstrip('.')}."
    first = failed[0]
    reason = first.get("ResourceStatusReason", "no reason is given").rstrip(". \n")
    return f"The stack failed at {first['LogicalResourceId']} ({first['ResourceType']}): {reason}."
