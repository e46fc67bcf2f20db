"""Build the book: every notebook executed, every page there, not one warning."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tutorial import cloud
from tutorial.errors import TutorialError
from tutorial.home import PROJECT, Home
from tutorial.teardown import cloud_taken_down

# What a notebook's outputs depend on, other than its own cells: a change of it executes all anew.
INPUTS = (
    *("app", "scripts", "data", "infra", ".streamlit", "uv.lock"),
    *("Dockerfile", "heroku.yml", ".dockerignore"),
)
PACKAGES = ("scikit-learn", "skops", "streamlit", "jupyter-book")


def digest_of_inputs() -> str:
    """sha256 (hexadecimal) over the files that the notebooks' outputs depend on."""
    digest = hashlib.sha256()
    for name in INPUTS:
        path = PROJECT / name
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            if "__pycache__" not in file.parts:
                relative = file.relative_to(PROJECT).as_posix()
                digest.update(f"{relative}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def build(
    cold: bool = False,
    source: Path = PROJECT,
    execute: bool = True,
    quiet: bool = False,
) -> Path:
    """Build the book of the folder `source` and return the folder of its pages.

    Notebooks run in a state of the book's own. What did not change is taken from the cache, unless
    `cold`. With `execute` False the outputs that the notebooks hold already are shown. Raises
    `TutorialError` if a page is missing or a warning was given.
    """
    made = source / "_build"
    made.mkdir(exist_ok=True)
    # Resolved, as the notebooks see it: a home's cloud is known by its path.
    stamp, home = made / "inputs", (made / "home").resolve()
    book_home = Home(home, home / "workspace")
    inputs = digest_of_inputs()
    if cold or not stamp.is_file() or stamp.read_text() != inputs:
        stamp.unlink(missing_ok=True)
        cloud.down(book_home)  # which a build that was killed left
        for stale in (made / ".jupyter_cache", home, made / "html", made / ".doctrees"):
            shutil.rmtree(stale, ignore_errors=True)
    config = made / "_config.yml"
    config.write_text(yaml.safe_dump(configuration(source, execute)), encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("jupyter-book")),
        "build",
        str(source),
    ]
    command += ["--config", str(config), "-W", "--keep-going"]
    environment = {
        **os.environ,
        "TUTORIAL_HOME": str(home),
        "CORPORA_CACHE": str(home / "corpora"),
    }
    output = subprocess.DEVNULL if quiet else None
    with cloud_taken_down(book_home):  # which the notebooks bring up
        done = subprocess.run(command, env=environment, cwd=source, stdout=output, stderr=output)
    if done.returncode:
        raise TutorialError("The book was not built: what stopped it stands above.")
    pages = made / "html"
    missing = [name for name in pages_wanted(source) if not (pages / name).is_file()]
    if missing:
        raise TutorialError(
            f"The book has no page {missing[0]}, which its table of contents names."
        )
    stamp.write_text(inputs)
    return pages


def pages_wanted(source: Path = PROJECT) -> list[str]:
    """Return the pages that the table of contents names, relative to the folder of pages."""
    toc = yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [f"{page}.html" for page in [toc["root"], *chapters]]


def configuration(source: Path, execute: bool) -> dict[str, Any]:
    """Return the settings of the book in the folder `source`, as Jupyter Book reads them.

    `BOOK_URL` in the environment says where the book is published. With `execute` False no notebook
    is executed.
    """
    config: dict[str, Any] = yaml.safe_load((source / "_config.yml").read_text(encoding="utf-8"))
    config["execute"]["execute_notebooks"] = "cache" if execute else "off"
    config["execute"]["cache"] = str(source / "_build" / ".jupyter_cache")
    sphinx = config["sphinx"]["config"]
    sphinx["html_static_path"] = [str(source / path) for path in sphinx["html_static_path"]]
    if os.environ.get("BOOK_URL"):
        sphinx["html_baseurl"] = sphinx["ogp_site_url"] = os.environ["BOOK_URL"]
        # A page that is not there may be asked for at any depth: its links begin at the book's own.
        path = urlsplit(os.environ["BOOK_URL"]).path
        sphinx["notfound_urls_prefix"] = f"{path.rstrip('/')}/"
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    config["html"]["extra_footer"] = (
        f"<p>Verified on {datetime.now(UTC):%Y-%m-%d} with Python {platform.python_version()}, {versions}. "
        "Text and data: CC BY 4.0. Code: MIT.</p>"
    )
    return config
