"""Start again, from nothing or from the end of a milestone, and lose nothing: `tutorial reset`."""

import shutil
from datetime import datetime
from pathlib import Path

from tutorial import cloud
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.serving import running_app
from tutorial.workspace import Workspace


def reset(home: Home, to: int | None = None) -> str:
    """Put the workspace back to the end of a milestone, or away; return a sentence on what was kept."""
    if running_app(home):
        raise TutorialError(
            "The app is running: close the notebook that started it, then try again."
        )
    workspace = Workspace(home.workspace)
    if not home.workspace.exists():
        had_cloud = (home.root / "cloud").exists()
        if to is None:
            _remove_state(home)
            if had_cloud:
                return "There is no workspace; the local cloud is removed with all that was in it."
        return "There is no workspace: nothing to reset."
    if not workspace.is_ours():
        raise TutorialError(
            f"{home.workspace} is not a workspace of this tutorial: it is left alone."
        )
    if to is not None:
        if not workspace.tagged(to):
            raise TutorialError(f"Milestone {to} was never finished here: run it first.")
        kept = workspace.keep_uncommitted_work()
        former = workspace.git("rev-parse", "--short", "HEAD")
        if workspace.git("rev-parse", f"milestone-{to}") != workspace.git("rev-parse", "HEAD"):
            workspace.git("branch", "--force", f"yours/before-reset-{former}")
        workspace.go_back_to(f"milestone-{to}")
        saved = f"; uncommitted work is on {kept}" if kept else ""
        return f"The workspace is as milestone {to} left it (it was at {former}{saved})."
    cloud.down(home)
    place = _free_name(home)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(home.workspace, place)
    _remove_state(home)
    return f"The former workspace is in {place}: remove it when you are sure."


def _remove_state(home: Home) -> None:
    """Remove what no reader wrote: the local cloud, which is taken down, and what was executed."""
    cloud.down(home)
    for leftover in ("cloud", "executed", "scratch"):
        shutil.rmtree(home.root / leftover, ignore_errors=True)
    for record in home.root.glob("*.json"):
        record.unlink()


def _free_name(home: Home) -> Path:
    return home.root / "old" / f"workspace-{datetime.now().astimezone():%Y-%m-%d-%H%M%S-%f}"
