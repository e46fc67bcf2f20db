"""The project's own promises: requirements that agree with the lock, text that speaks of the project alone."""

import ast
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from executed import project_files
from tutorial.home import PROJECT

LEFT_HALF = (
    "app/",
    *("scripts/bucket.py", "scripts/deploy.py", "scripts/heroku.py", "scripts/upload.py"),
    *("scripts/mlflow_setup.py", "scripts/tracking_"),
    *("scripts/promote.py", "scripts/candidate.py", "scripts/champion.py"),
    "scripts/publication.py",
    *("scripts/gate", "scripts/report"),
)
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


@pytest.mark.parametrize(
    ("group", "file"),
    [
        ("app", "app/requirements.txt"),
        ("app-test", "tests/app/requirements.txt"),
        ("train", "notebooks/requirements.txt"),
        ("tracking", "infra/mlflow-requirements.txt"),
    ],
)
def test_requirements_are_those_of_the_lock(group: str, file: str) -> None:
    """`make requirements` writes them anew."""
    command = [uv(), "export", "--quiet", "--locked", "--only-group", group]
    command += ["--no-hashes", "--no-annotate", "--no-header"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert (PROJECT / file).read_text(encoding="utf-8") == done.stdout


def test_the_apps_tests_import_nothing_that_their_requirements_do_not_bring() -> None:
    """A push installs these two files and nothing else."""
    required = "".join(
        (PROJECT / name).read_text(encoding="utf-8")
        for name in ("app/requirements.txt", "tests/app/requirements.txt")
    )
    brought = {
        re.sub("[-_.]+", "-", name).lower() for name in re.findall(r"^[\w.-]+", required, re.M)
    }
    files = list((PROJECT / "tests" / "app").rglob("*.py"))
    own = {"app", *sys.stdlib_module_names, *(file.stem for file in files)}
    packages = packages_distributions()
    for file in files:
        for module in imports(file) - own:
            names = {re.sub("[-_.]+", "-", n).lower() for n in packages.get(module, [])}
            assert names & brought, f"{file.name} imports {module}"


def imports(file: Path) -> set[str]:
    """The first names of the modules that a file imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    whole = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    parts = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in whole | parts}


@pytest.mark.parametrize("name", [n for n in project_files() if n.startswith(LEFT_HALF)])
def test_the_finished_workspace_needs_nothing_of_ours(name: str) -> None:
    if not name.endswith(".py"):
        return
    assert not imports(PROJECT / name) & {"tutorial", "scripts"}


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
