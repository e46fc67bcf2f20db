"""The `on:` of a workflow: which events start it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tutorial.github.document import Part
from tutorial.github.filters import pattern_expression, select_any, selects

PULL_REQUEST_TYPES = (
    *("opened", "synchronize", "reopened", "closed", "edited", "labeled", "unlabeled"),
    *("assigned", "unassigned", "ready_for_review", "converted_to_draft", "review_requested"),
    *("review_request_removed", "locked", "unlocked", "enqueued", "dequeued"),
    *("auto_merge_enabled", "auto_merge_disabled", "milestoned", "demilestoned"),
)
# The types of activity that start a workflow which names none.
USUAL_TYPES = {
    "pull_request": ("opened", "synchronize", "reopened"),
    "workflow_run": ("completed", "requested", "in_progress"),
}
TYPES = {"pull_request": PULL_REQUEST_TYPES, "workflow_run": USUAL_TYPES["workflow_run"]}
BRANCHES = ("branches", "branches-ignore")
TAGS = ("tags", "tags-ignore")
PATHS = ("paths", "paths-ignore")
KEYS = {
    "push": (*BRANCHES, *TAGS, *PATHS),
    "pull_request": ("types", *BRANCHES, *PATHS),
    "workflow_run": ("workflows", "types", *BRANCHES),
    # These are read, and fire on GitHub alone.
    "workflow_dispatch": ("inputs",),
    "schedule": (),
}


@dataclass(frozen=True)
class Trigger:
    """One event and the filters that are written for it."""

    event: str
    filters: dict[str, tuple[str, ...]]

    def for_branch(self, branch: str) -> bool:
        """Tell whether the filters let a branch pass."""
        if self.event == "push" and not any(key in self.filters for key in BRANCHES):
            return not any(key in self.filters for key in TAGS)
        return self._passes(BRANCHES, [branch])

    def for_tag(self, tag: str) -> bool:
        """Tell whether the filters let a tag pass."""
        if not any(key in self.filters for key in TAGS):
            return not any(key in self.filters for key in BRANCHES)
        return self._passes(TAGS, [tag])

    def for_paths(self, paths: Sequence[str]) -> bool:
        """Tell whether the filters let a change of these files pass."""
        return self._passes(PATHS, paths)

    def for_type(self, kind: str) -> bool:
        """Tell whether a type of activity starts the workflow."""
        return kind in self.filters.get("types", USUAL_TYPES.get(self.event, ()))

    def _passes(self, keys: tuple[str, str], names: Sequence[str]) -> bool:
        wanted, ignored = keys
        if wanted in self.filters:
            return select_any(self.filters[wanted], names)
        if ignored in self.filters:
            return any(not selects(self.filters[ignored], name) for name in names)
        return True


def read_triggers(part: Part) -> dict[str, Trigger]:
    """Return the triggers by event; `WorkflowError` for an event or a key that is not known."""
    named = part.mapping() if part.is_mapping() else part.texts()
    if "pull_request_target" in named:
        raise part.place.error(
            "`pull_request_target` is not supported: it hands your secrets to what a stranger changes; "
            "use `pull_request`, and `workflow_run` for what needs a secret."
        )
    if part.is_mapping():
        return {name: _trigger(name, one) for name, one in part.mapping(tuple(KEYS)).items()}
    names = part.sequence() if part.is_sequence() else [part]
    events = {name.text(): name for name in names}
    for event, name in events.items():
        if event not in KEYS:
            raise name.place.error(
                f"the event `{event}` is not known: the rehearsal knows {', '.join(KEYS)}."
            )
        if event == "schedule":
            raise name.place.error("`schedule` has to be a list of `cron` lines.")
        if event == "workflow_run":
            raise name.place.error("`workflow_run` has to name its `workflows`.")
    return {event: Trigger(event, {}) for event in events}


def _trigger(event: str, part: Part) -> Trigger:
    if event == "schedule":
        crons = [one.mapping(("cron", "timezone"))["cron"].text() for one in part.sequence()]
        return Trigger(event, {"cron": tuple(crons)})
    if part.is_null():
        if event == "workflow_run":
            raise part.place.error("`workflow_run` has to name its `workflows`.")
        return Trigger(event, {})
    filters: dict[str, tuple[str, ...]] = {}
    for key, value in part.mapping(KEYS[event]).items():
        if key == "inputs":
            _check_inputs(value)
            continue
        filters[key] = value.texts()
        if key == "types":
            _check_types(event, value)
        elif key != "workflows":
            _check_patterns(value)
    for both in (BRANCHES, TAGS, PATHS):
        if all(key in filters for key in both):
            raise part.error(f"has both `{both[0]}` and `{both[1]}`: use one, with `!` lines")
    if event == "workflow_run" and not filters.get("workflows"):
        raise part.place.error("`workflow_run` has to name its `workflows`.")
    return Trigger(event, filters)


def _check_types(event: str, part: Part) -> None:
    for kind in part.texts():
        if kind not in TYPES[event]:
            raise part.error(f"has no type `{kind}` for `{event}`")


def _check_patterns(part: Part) -> None:
    for pattern in part.sequence() if part.is_sequence() else [part]:
        try:
            pattern_expression(pattern.text().removeprefix("!"))
        except ValueError as error:
            raise pattern.place.error(f"{error}.") from None


def _check_inputs(part: Part) -> None:
    for one in part.mapping().values() if not part.is_null() else ():
        if not one.is_null():
            one.mapping(("description", "required", "default", "type", "options"))
