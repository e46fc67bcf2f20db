"""The chain: every notebook executed once, in order, in one fresh state, on a copy of the project."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

import shared_out
from executed import Chain, corpora_at_hand, project_files
from tutorial import cloud
from tutorial.home import PROJECT, Home
from tutorial.milestones import all_chapters
from tutorial.screenshot import open_browser


def pytest_configure(config: pytest.Config) -> None:
    """Tell uv where its cache is: it looks below HOME, which the tests change."""
    if "UV_CACHE_DIR" not in os.environ:
        said = subprocess.run(
            [Path(sys.executable).with_name("uv"), "cache", "dir"],
            capture_output=True,
            text=True,
            check=True,
        )
        os.environ["UV_CACHE_DIR"] = said.stdout.strip()
    config.pluginmanager.register(shared_out)


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Execute the notebooks with nbmake; their outputs stay in the copy, and their cloud stays up."""
    root = tmp_path_factory.mktemp("chain")
    # As a reader's home is: inside the project, whose settings must not reach the workspace.
    copy = root / "copy"
    home = Home(copy / ".tutorial", copy / ".tutorial" / "workspace")
    for name in project_files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / name, copy / name)
    notebooks = [str(copy / c.notebook.relative_to(PROJECT)) for c in all_chapters()]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbmake",
        "--overwrite",
        # Of a cell, which may wait for a push's tests: it ends one that hangs, and no busy machine's.
        "--nbmake-timeout=900",
    ]
    command += [
        "-q",
        "-c",
        os.devnull,
        f"--rootdir={copy}",
        "-p",
        "no:cacheprovider",
        *notebooks,
    ]
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env={**home.environment(), **corpora_at_hand()},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            pytest.fail(f"A notebook does not run:\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}")
        yield Chain(copy, home)
    finally:
        cloud.down(home)


@pytest.fixture(scope="session")
def pages(chain: Chain) -> Path:
    """Build the book from the executed copy, and give the folder of its pages."""
    from tutorial.book import build

    return build(source=chain.copy, execute=False)


# Not for the session: while it is open, no other test of its worker can have an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; the tests fail by name where there is none."""
    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new page in a context of its own."""
    context = browser.new_context()
    yield context.new_page()
    context.close()
