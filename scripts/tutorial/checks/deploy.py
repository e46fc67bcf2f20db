"""Milestone 1: a release is live at a public address, checked before, and nothing else is in its image."""

from pathlib import Path

import requests
from docker.utils import exclude_paths

from tutorial.checks.items import Item, Probe
from tutorial.checks.zero_ops import the_model_predicts_its_example, the_page_answers
from tutorial.errors import TutorialError

MAY_GO_IN = ("app", ".streamlit", "models")


def a_release_is_live(probe: Probe) -> str:
    """The web dyno of the current release is up."""
    version = probe.deployed.release["version"]
    for dyno in probe.deployed.dynos:
        if dyno["state"] != "up" or dyno["release"]["version"] != version:
            raise TutorialError(
                f"{dyno['name']} is {dyno['state']}, with release v{dyno['release']['version']}; "
                f"v{version} is current."
            )
    return f"v{version} is up"


def the_live_model_is_yours(probe: Probe) -> str:
    """The model that answers has the digest of the one in the workspace."""
    live, yours = probe.app.card().get("digest"), probe.model["digest"]
    if live != yours:
        raise TutorialError(
            f"Model {str(live)[:12]} answers, and {str(yours)[:12]} is in models/sentiment.skops."
        )
    return f"model {str(live)[:12]} there and here"


def the_release_was_checked_before(probe: Probe) -> str:
    """What the release phase printed says that the model predicts its own example."""
    url = probe.deployed.release.get("output_stream_url")
    said = requests.get(str(url), timeout=10).text if url else ""
    if "predicts its own example" not in said:
        raise TutorialError(f"v{probe.deployed.release['version']} went live without a check.")
    return "python -m app.verify said so before it went live"


def nothing_else_goes_into_the_image(probe: Probe) -> str:
    """What .dockerignore lets into the image is app, settings and model, whatever else lies around."""
    workspace = probe.home.workspace
    ignore = workspace / ".dockerignore"
    if not ignore.is_file():
        raise TutorialError("There is no .dockerignore, so everything goes in.")
    patterns = ignore.read_text(encoding="utf-8").splitlines()
    inside = sorted(path for path in exclude_paths(str(workspace), patterns))
    files = [path for path in inside if (workspace / path).is_file()]
    # Docker always sends these two with the build, whatever the patterns say.
    strange = [
        path
        for path in files
        if Path(path).parts[0] not in MAY_GO_IN and path not in ("Dockerfile", ".dockerignore")
    ]
    if strange:
        raise TutorialError(f"{strange[0]} would go in, and {len(strange) - 1} files more like it.")
    return f"{len(files)} files, all of app/, .streamlit/ or models/"


ITEMS = [
    Item(
        "A release is live",
        "Run `python scripts/deploy.py` in the workspace, and read its last line.",
        a_release_is_live,
    ),
    Item(
        "The page answers at its public address",
        "Look at `tutorial logs heroku`, and deploy again.",
        the_page_answers,
    ),
    Item(
        "GET /model tells which model answers",
        "Look at MODEL_URI among the config vars, and deploy again.",
        the_model_predicts_its_example,
    ),
    Item(
        "The model that is live is the one you trained",
        "Deploy again: the image carries the model of the time it was built.",
        the_live_model_is_yours,
    ),
    Item(
        "The release was checked before it went live",
        "heroku.yml needs a release command: python -m app.verify.",
        the_release_was_checked_before,
    ),
    Item(
        "Nothing but the app goes into the image",
        "Start .dockerignore with a line `*`, then let in what the app needs.",
        nothing_else_goes_into_the_image,
    ),
]
