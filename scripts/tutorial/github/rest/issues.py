"""Labels and comments: a pull request is an issue too."""

from tutorial.github.conversation import (
    add_comment,
    add_labels,
    change_comment,
    delete_comment,
    find_comment,
    remove_label,
)
from tutorial.github.forms import COMMENT
from tutorial.github.pulls import comments_of, find_pull, labels_of
from tutorial.github.refusals import RefusalError
from tutorial.github.rest.asking import Ask, Reply, Route, listed

ISSUE = "/repos/{owner}/{repo}/issues/{number}"
ONE = "/repos/{owner}/{repo}/issues/comments/{comment}"


def show_labels(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/issues/N/labels."""
    number = find_pull(ask.store, ask.number("number"))["id"]
    return listed(ask, labels_of(ask.store, number), ask.forms.label)


def label(ask: Ask) -> Reply:
    """POST /repos/OWNER/REPO/issues/N/labels: an object with `labels`, or the list of them alone."""
    given = ask.body.get("labels") if isinstance(ask.body, dict) else ask.body
    if not isinstance(given, list):
        raise RefusalError(422, 'Invalid request.\n\n"labels" wasn\'t supplied.')
    names = [one.get("name") if isinstance(one, dict) else one for one in given]
    if not all(isinstance(name, str) for name in names):
        raise RefusalError(422, "Invalid request.\n\nA label is a string.")
    labels = add_labels(ask.store, ask.number("number"), [str(name) for name in names], ask.actor)
    return Reply(200, [ask.forms.label(one) for one in labels])


def take_label(ask: Ask) -> Reply:
    """DELETE /repos/OWNER/REPO/issues/N/labels/NAME."""
    labels = remove_label(ask.store, ask.number("number"), ask.path["name"], ask.actor)
    return Reply(200, [ask.forms.label(one) for one in labels])


def show_comments(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/issues/N/comments."""
    number = find_pull(ask.store, ask.number("number"))["id"]
    return listed(ask, comments_of(ask.store, number), ask.forms.comment)


def comment(ask: Ask) -> Reply:
    """POST /repos/OWNER/REPO/issues/N/comments."""
    made = add_comment(ask.store, ask.number("number"), ask.text("body"), ask.actor)
    return Reply(201, ask.forms.comment(made))


def show_comment(ask: Ask) -> Reply:
    """GET /repos/OWNER/REPO/issues/comments/ID."""
    return Reply(200, ask.forms.comment(find_comment(ask.store, ask.number("comment", COMMENT))))


def update_comment(ask: Ask) -> Reply:
    """PATCH /repos/OWNER/REPO/issues/comments/ID."""
    identity = ask.number("comment", COMMENT)
    made = change_comment(ask.store, identity, ask.text("body"), ask.actor)
    return Reply(200, ask.forms.comment(made))


def end_comment(ask: Ask) -> Reply:
    """DELETE /repos/OWNER/REPO/issues/comments/ID."""
    delete_comment(ask.store, ask.number("comment", COMMENT), ask.actor)
    return Reply(204)


READ = ("issues", "pull_requests")
ROUTES = [
    Route("GET", f"{ISSUE}/labels", show_labels, READ),
    Route("POST", f"{ISSUE}/labels", label),
    Route("DELETE", f"{ISSUE}/labels/{{name}}", take_label),
    Route("GET", f"{ISSUE}/comments", show_comments, READ),
    Route("POST", f"{ISSUE}/comments", comment),
    Route("GET", ONE, show_comment, READ),
    Route("PATCH", ONE, update_comment),
    Route("DELETE", ONE, end_comment),
]
