"""Concurrency groups: in each, one member at most runs and one at most waits."""

import threading
from dataclasses import dataclass, field

from tutorial.github.coercion import folded

POLL = 0.1  # seconds between looks at whether a waiting member was cancelled


@dataclass(eq=False)
class Ticket:
    """One member's place in a group."""

    group: str
    cancelled: threading.Event
    turn: threading.Event = field(default_factory=threading.Event)
    replaced: threading.Event = field(default_factory=threading.Event)

    @property
    def waits(self) -> bool:
        """Tell whether another member runs."""
        return not self.turn.is_set()

    def wait(self) -> bool:
        """Return True when it is this member's turn, False when it was replaced or cancelled before."""
        while not self.turn.wait(POLL):
            if self.replaced.is_set() or self.cancelled.is_set():
                return False
        return True


class Groups:
    """All the groups; names are compared without case, as on GitHub."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, Ticket] = {}
        self._waiting: dict[str, Ticket] = {}

    def join(self, group: str, cancelled: threading.Event, cancel_running: bool) -> Ticket:
        """Take a place, at once. A newer member replaces the one that waits, never one that runs.

        With `cancel_running` the member that runs is asked to end.
        """
        ticket = Ticket(folded(group), cancelled)
        with self._lock:
            running = self._running.get(ticket.group)
            if running is None:
                self._start(ticket)
                return ticket
            if before := self._waiting.get(ticket.group):
                before.replaced.set()
            self._waiting[ticket.group] = ticket
            if cancel_running:
                running.cancelled.set()
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give the place up; the member that waits gets its turn."""
        with self._lock:
            if self._waiting.get(ticket.group) is ticket:
                del self._waiting[ticket.group]
            if self._running.get(ticket.group) is ticket:
                del self._running[ticket.group]
                if following := self._waiting.pop(ticket.group, None):
                    self._start(following)

    def _start(self, ticket: Ticket) -> None:
        self._running[ticket.group] = ticket
        ticket.turn.set()
