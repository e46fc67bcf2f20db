"""Files that the tutorial gives to the workspace: copies of this project's own, or of its templates."""

import ast
import os
import shutil
from pathlib import Path

from tutorial.errors import TutorialError
from tutorial.home import PROJECT, Home

# Files of the workspace that differ from this project's file of the same name.
TEMPLATES = Path(__file__).parent / "templates"


def source_of(path: str) -> Path:
    """Return the file that the workspace's `path` is a copy of; raises `TutorialError`."""
    template = TEMPLATES / path.replace("/", "__").lstrip(".")
    source = template if template.is_file() else PROJECT / path
    if not source.is_file() or not source.resolve().is_relative_to(PROJECT):
        raise TutorialError(f"There is no file {path} to give: look at the spelling.")
    return source


def give_file(path: str, home: Home) -> int:
    """Copy one file into the workspace, whole or not at all, and return its number of lines."""
    source, target = source_of(path), home.workspace / path
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, part)
    os.replace(part, target)  # noqa: PTH105 (says that it replaces)
    return len(target.read_text(encoding="utf-8").splitlines())


def key_lines(source: str, name: str) -> str:
    """Return the lines of the function or class `name` of a Python file; raises `TutorialError`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            return "\n".join(source.splitlines()[first - 1 : node.end_lineno])
    raise TutorialError(
        f"The file has no function or class {name}: look at the spelling."
    )
