"""Keys that a workflow and its jobs share: `env`, `permissions`, `concurrency`, `defaults`."""

import re
from dataclasses import dataclass

from tutorial.github.document import Part
from tutorial.github.expressions import Availability, Template, compile_template

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PERMISSIONS = (
    *("actions", "artifact-metadata", "attestations", "checks", "contents", "deployments"),
    *("discussions", "id-token", "issues", "models", "packages", "pages", "pull-requests"),
    *("security-events", "statuses"),
)
LEVELS = ("read", "write", "none")


@dataclass(frozen=True)
class Concurrency:
    """A group of which one member runs and one waits."""

    group: Template
    cancel_in_progress: Template


@dataclass(frozen=True)
class Defaults:
    """What `run` steps have where they say nothing."""

    shell: str | None = None
    working_directory: Template | None = None


def template(part: Part, available: Availability) -> Template:
    """Return a scalar as a template."""
    return compile_template(part.text(), part.text_place, available)


def read_env(part: Part, available: Availability) -> dict[str, Template]:
    """Return variables and their templates."""
    if part.is_null():
        return {}
    values = {}
    for name, value in part.mapping().items():
        if not VARIABLE.fullmatch(name):
            raise value.place.error(f"`{name}` is no name of a variable: letters, digits and _.")
        values[name] = template(value, available)
    return values


def read_permissions(part: Part) -> dict[str, str]:
    """Return what the run's token may do; what is not named is `none`."""
    if not part.is_mapping():
        every = {"read-all": "read", "write-all": "write"}.get(part.text())
        if every is None:
            raise part.error("has to be read-all, write-all or a mapping")
        return dict.fromkeys(PERMISSIONS, every)
    permissions = {}
    for name, level in part.mapping(PERMISSIONS).items():
        if level.text() not in LEVELS:
            raise level.error(f"has to be one of {', '.join(LEVELS)}")
        permissions[name] = level.text()
    return permissions


def read_concurrency(part: Part, available: Availability) -> Concurrency:
    """Return the group; `cancel-in-progress` is false where it is not written."""
    never = compile_template("false", part.place, available)
    if not part.is_mapping():
        return Concurrency(template(part, available), never)
    keys = part.mapping(("group", "cancel-in-progress"))
    if "group" not in keys:
        raise part.error("has to name its `group`")
    cancel = keys.get("cancel-in-progress")
    return Concurrency(
        template(keys["group"], available), template(cancel, available) if cancel else never
    )


def read_shell(part: Part) -> str:
    """Return the shell: bash is the only one."""
    if part.text() != "bash":
        raise part.error("has to be bash: the rehearsal knows no other")
    return "bash"


def read_defaults(part: Part, available: Availability) -> Defaults:
    """Return `defaults.run`."""
    run = part.mapping(("run",)).get("run")
    keys = run.mapping(("shell", "working-directory")) if run else {}
    folder = keys.get("working-directory")
    return Defaults(
        shell=read_shell(keys["shell"]) if "shell" in keys else None,
        working_directory=template(folder, available) if folder else None,
    )


def read_minutes(part: Part, available: Availability) -> Template:
    """Return a number of minutes, or the expression that gives it."""
    minutes = template(part, available)
    if minutes.is_plain:
        try:
            fine = float(minutes.source) > 0
        except ValueError:
            fine = False
        if not fine:
            raise part.error("has to be a number of minutes above 0")
    return minutes
