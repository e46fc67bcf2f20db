"""Files that the tutorial gives to the workspace: copies of this project's own, or of its templates."""

import ast
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
    inside = not Path(path).is_absolute() and ".." not in Path(path).parts
    if not inside or not source.is_file():
        raise TutorialError(f"There is no file {path} to give: look at the spelling.")
    return source


def give_file(path: str, home: Home) -> int:
    """Copy one file into the workspace, whole or not at all, and return its number of lines."""
    source, target = source_of(path), home.workspace / path
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return len(target.read_text(encoding="utf-8").splitlines())


def files_below(folder: str) -> list[str]:
    """Return the paths of the project's files below a folder, sorted; raises `TutorialError`."""
    found = sorted(
        path.relative_to(PROJECT).as_posix()
        for path in (PROJECT / folder).rglob("*")
        if path.is_file() and not path.name.startswith(".") and "__pycache__" not in path.parts
    )
    if not found:
        raise TutorialError(f"There is no folder {folder} to give: look at the spelling.")
    return found


def files_like(pattern: str) -> list[str]:
    """Return the paths of the project's files that a pattern names, sorted; raises `TutorialError`."""
    found = sorted(path.relative_to(PROJECT).as_posix() for path in PROJECT.glob(pattern))
    if not found:
        raise TutorialError(f"There is no file {pattern} to give: look at the spelling.")
    return found


def key_lines(source: str, name: str) -> str:
    """Return the lines of the function or class `name` of a Python file; raises `TutorialError`."""
    # Not splitlines(): Python's own lines end at a line break alone.
    lines = source.split("\n")
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, definitions) and node.name == name:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            return "\n".join(lines[first - 1 : node.end_lineno])
    raise TutorialError(f"The file has no function or class {name}: look at the spelling.")
