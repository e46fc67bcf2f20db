"""What an item of a check is, and what it may ask."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tutorial.deployed import DeployedApp, Platform
from tutorial.home import Home
from tutorial.processes import run_in_workspace
from tutorial.serving import RunningApp


@dataclass(frozen=True)
class Probe:
    """What an item may ask: the home, the app that answers (the deployed one from milestone 1 on), its model."""

    home: Home
    app: RunningApp

    @cached_property
    def model(self) -> dict[str, Any]:
        """What `tutorial.model_probe` says, asked once for all items."""
        said: dict[str, Any] = json.loads(run_in_workspace(self.home, "tutorial.model_probe"))
        return said

    @cached_property
    def platform(self) -> Platform:
        """The platform that serves the app."""
        return Platform(self.home)

    @cached_property
    def deployed(self) -> DeployedApp:
        """What the platform says of the app, asked once for all items."""
        return self.platform.deployed()


@dataclass(frozen=True)
class Item:
    """One thing that must hold. `probe` returns what it saw, or raises `TutorialError`."""

    claim: str
    hint: str
    probe: Callable[[Probe], str]


@dataclass(frozen=True)
class Result:
    """What an item's probe said: `seen` is the evidence, or what is wrong."""

    claim: str
    passed: bool
    seen: str
    hint: str
