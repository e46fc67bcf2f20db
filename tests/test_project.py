"""The project's own promises: requirements that agree with the lock, text that speaks of the project alone."""

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from executed import project_files
from tutorial.home import PROJECT

LEFT_HALF = ("app/",)
# The lock file is the package manager's own and names where it found what; the licence names its text.
NOT_OUR_TEXT = ("uv.lock",)
TEXT = (
    ".py",
    ".md",
    ".ipynb",
    ".yml",
    ".toml",
    ".json",
    ".sh",
    ".css",
    ".cff",
    ".csv",
    ".txt",
)


def uv() -> str:
    """The uv that `make setup` uses."""
    own = PROJECT / ".tools" / "bin" / "uv"
    path = shutil.which("uv") or (str(own) if own.is_file() else None)
    if path is None:
        pytest.fail("uv is missing: run `make setup`.")
    return path


def test_the_apps_requirements_are_those_of_the_lock() -> None:
    command = [
        uv(),
        "export",
        "--quiet",
        "--locked",
        "--only-group",
        "app",
        "--no-hashes",
    ]
    command += ["--no-annotate", "--no-header"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert (PROJECT / "app" / "requirements.txt").read_text(encoding="utf-8") == done.stdout


@pytest.mark.parametrize("name", [n for n in project_files() if n.startswith(LEFT_HALF)])
def test_the_finished_workspace_needs_nothing_of_ours(name: str) -> None:
    if not name.endswith(".py"):
        return
    tree = ast.parse((PROJECT / name).read_text(encoding="utf-8"))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {module for module in imported if module.split(".")[0] in ("tutorial", "scripts")}


def test_no_text_names_a_machine_or_where_packages_come_from() -> None:
    # In pieces, or this file would name them.
    words = [
        "/" + "root/",
        "/" + "work/",
        "/" + "home/",
        "py" + "pi.org",
        "python" + "hosted",
        "npmjs" + ".org",
    ]
    pattern = re.compile("|".join(map(re.escape, words)))
    found = {
        name: sorted(set(pattern.findall((PROJECT / name).read_text(encoding="utf-8"))))
        for name in project_files()
        if name.endswith(TEXT) and name not in NOT_OUR_TEXT
    }
    assert {name: words for name, words in found.items() if words} == {}


def test_nothing_larger_than_a_megabyte_is_committed() -> None:
    large = [name for name in project_files() if Path(PROJECT / name).stat().st_size > 1_000_000]
    assert large == ["uv.lock"] or large == []
