"""Pictures of a running page, taken with the machine's own Chromium."""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tutorial.errors import TutorialError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
# Quiet: a browser that phones home is of no use offline.
FLAGS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


class NoBrowserError(TutorialError):
    """No picture can be taken; the message says what is missing."""


def find_browser() -> str:
    """Return the path of a Chromium; raises `NoBrowserError`."""
    for name in BROWSERS:
        path = shutil.which(name)
        if path:
            return path
    raise NoBrowserError("No picture: there is no Chromium on this machine.")


def browser_flags() -> list[str]:
    """Return Chromium's flags; as root (in a container) it does not start with its sandbox on."""
    return [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else FLAGS


@contextmanager
def open_browser() -> Iterator["Browser"]:
    """Give a headless Chromium. Raises `NoBrowserError`."""
    path = find_browser()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise NoBrowserError("No picture: the package playwright is not installed.") from None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=browser_flags())
        yield browser
        browser.close()


def take_screenshot(url: str, review: str | None = None, width: int = 800) -> bytes:
    """Return a PNG of the app's page, after a review was typed in and judged.

    Raises `NoBrowserError`.
    """

    def shoot() -> bytes:
        with open_browser() as browser:
            page = browser.new_page(
                viewport={"width": width, "height": 700}, device_scale_factor=1.5
            )
            page.goto(url)
            box = page.get_by_label("Your review")
            box.wait_for()
            if review is not None:
                box.fill(review)
                page.get_by_role("button", name="Judge it").click()
                page.get_by_text("Where they stand").wait_for()
                chart = page.locator("[data-testid=stVegaLiteChart]")
                chart.locator("canvas, svg").first.wait_for()
            # The whole of it: the page scrolls inside the window.
            all_of_it = page.locator("[data-testid=stMainBlockContainer]").bounding_box()
            height = int(all_of_it["height"]) if all_of_it else 700
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate("document.fonts.ready")
            return page.screenshot(animations="disabled")

    return _in_a_thread(shoot)


def take_page(url: str, login: tuple[str, str], wait_for: str, width: int = 1000) -> bytes:
    """Return a PNG of a page behind a password, once it shows a text. Raises `NoBrowserError`."""

    def shoot() -> bytes:
        with open_browser() as browser:
            page = browser.new_page(
                viewport={"width": width, "height": 600},
                device_scale_factor=1.5,
                http_credentials={"username": login[0], "password": login[1]},
            )
            page.goto(url)
            page.get_by_text(wait_for).first.wait_for()
            page.evaluate("document.fonts.ready")
            return page.screenshot(animations="disabled")

    return _in_a_thread(shoot)


def _in_a_thread(shoot: Callable[[], bytes]) -> bytes:
    """Run it where Playwright's synchronous interface may run: not in the thread of a notebook's event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(shoot).result()
