"""A pull request's page, for a notebook or a browser: light or dark, as narrow as 400 px, without a script."""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from tutorial.github.changes import changed_files, commits_between
from tutorial.github.checks import latest_runs, latest_statuses
from tutorial.github.forms import COMMENT, when
from tutorial.github.markdown import to_html
from tutorial.github.protection import what_blocks
from tutorial.github.pulls import comments_of, find_pull, labels_of, reviews_of
from tutorial.github.repository import OWNER, Repository
from tutorial.github.store import Row, Store

# The colours of text and ground are those of the page around; what has a colour has its own ground.
STYLE = """
.pull-page { font-size: .95em; line-height: 1.45; max-width: 56em; overflow-wrap: anywhere; }
.pull-page p, .pull-page h1 { margin: .3em 0; }
.pull-page .items { list-style: none; margin: .3em 0; padding: 0; }
.pull-page .title { font-size: 1.35em; font-weight: 600; }
.pull-page .heading { font-weight: 600; margin-top: .8em; }
.pull-page .badge { border-radius: 1em; color: #fff; display: inline-block; font-size: .85em; padding: .05em .7em; }
.pull-page .good { background: #1a7f37; } .pull-page .bad { background: #b3261e; }
.pull-page .done { background: #6f42c1; } .pull-page .plain { background: #57606a; }
.pull-page .box { border: 1px solid rgba(128, 128, 128, .5); border-radius: 6px; margin: .7em 0; padding: .5em .8em; }
.pull-page code, .pull-page pre { background: rgba(128, 128, 128, .12); border-radius: 4px; color: inherit; font-size: .9em; }
.pull-page pre { padding: .5em; white-space: pre-wrap; }
.pull-page a { color: inherit; text-decoration: underline; }
.pull-page table { border-collapse: collapse; display: block; font-size: .85em; margin: .5em 0; overflow-x: auto; overflow-wrap: break-word; }
.pull-page td, .pull-page th { border: 1px solid rgba(128, 128, 128, .5); padding: .15em .5em; text-align: left; }
.pull-page blockquote { border-left: 3px solid rgba(128, 128, 128, .5); margin: .3em 0; padding-left: .8em; }
"""
COLOURS = {
    "success": "good",
    "APPROVED": "good",
    "failure": "bad",
    "error": "bad",
    "CHANGES_REQUESTED": "bad",
}
SIGNS = 20  # + and - at most, of a file


def pull_document(state: Path, number: int) -> str:
    """Return the page as a whole document; `RefusalError` 404 where there is no such pull request."""
    body = pull_page(state, number, heading="h1")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Pull request {number}</title>"
        "<style>:root { color-scheme: light dark; } body { background: Canvas; color: CanvasText; font-family: sans-serif; margin: 1em; }</style>"
        f"</head><body><main>{body}</main></body></html>\n"
    )


def pull_page(state: Path, number: int, heading: str = "p") -> str:
    """Return the page as a part of another; `RefusalError` 404 where there is no such pull request.

    `heading` is the tag of its title.
    """
    store, repository = Store(state), Repository(state)
    try:
        pull = find_pull(store, number)
        boxes = [
            _box("Labels", _labels(store, number)),
            _comment(pull["author"], pull["created"], pull["body"] or "_No description._"),
            *(_comment(one["author"], one["created"], one["body"], _mark(one)) for one in comments_of(store, number)),
            _box("Commits", _commits(repository, pull)),
            _box("Files changed", _files(repository, pull)),
            _box("Checks", _checks(store, pull)),
            _box("Reviews", _reviews(store, number)),
            _box("Merging", _merging(store, repository, pull)),
        ]  # fmt: skip
        head = _head(pull, heading)
    finally:
        store.close()
    return f'<style>{STYLE}</style><div class="pull-page">{head}{"".join(boxes)}</div>'


def _head(pull: Row, heading: str) -> str:
    word, colour = ("Open", "good") if pull["state"] == "open" else ("Closed", "bad")
    if pull["merged"] is not None:
        word, colour = "Merged", "done"
    owner = pull["head_owner"]
    head = pull["head_ref"] if owner == OWNER else f"{owner}:{pull['head_ref']}"
    what = f"<code>{escape(head)}</code> into <code>{escape(pull['base_ref'])}</code>"
    return (
        f'<{heading} class="title">{escape(pull["title"])} <span>#{pull["id"]}</span></{heading}>'
        f"<p>{_badge(word, colour)} {escape(pull['author'])} wants to merge {what}</p>"
    )


def _badge(text: str, colour: str) -> str:
    return f'<span class="badge {colour}">{escape(text)}</span>'


def _box(title: str, items: Iterable[str]) -> str:
    lines = list(items)
    if not lines:
        return ""
    listed = "".join(f"<li>{line}</li>" for line in lines)
    return f'<div class="box"><p class="heading">{title}</p><ul class="items">{listed}</ul></div>'


def _comment(author: str, written: float, body: str, mark: str = "") -> str:
    bot = f" {_badge('bot', 'plain')}" if author.endswith("[bot]") else ""
    name = escape(author.removesuffix("[bot]"))
    return (
        f'<div class="box"><p><strong>{name}</strong>{bot} {escape(when(written))}{mark}</p>'
        f"{to_html(body)}</div>"
    )


def _mark(comment: Row) -> str:
    edited = ", edited" if comment["updated"] > comment["created"] else ""
    return f"{edited} (comment {COMMENT + comment['id']})"


def _labels(store: Store, number: int) -> list[str]:
    return [_badge(one["name"], "plain") for one in labels_of(store, number)]


def _commits(repository: Repository, pull: Row) -> list[str]:
    found = [repository.commit(sha) for sha in commits_between(repository, pull)]
    return [
        f"<code>{one.sha[:7]}</code> {escape(one.title)} ({escape(one.author)})" for one in found
    ]


def _files(repository: Repository, pull: Row) -> list[str]:
    def line(file: dict[str, Any]) -> str:
        added, removed = file["additions"], file["deletions"]
        scale = min(1.0, SIGNS / max(1, added + removed))
        signs = "+" * round(added * scale) + "-" * round(removed * scale)
        counts = f"{added:,} added, {removed:,} removed"
        return f"<code>{escape(file['filename'])}</code> {file['status']}: {counts} <code>{signs}</code>"

    return [line(file) for file in changed_files(repository, pull)]


def _checks(store: Store, pull: Row) -> list[str]:
    lines = []
    for run in latest_runs(store, pull["head_sha"]):
        named = f"{escape(run['workflow'])} ({escape(run['event'])}, run {run['id']})"
        jobs = store.jobs(run["id"])
        if not jobs:
            lines.append(f"{_state(run)} {named}{_why(run)}")
        lines += [f"{_state(job)} {named}: {escape(job['name'])}{_why(job)}" for job in jobs]
    for one in latest_statuses(store, pull["head_sha"]):
        said = escape(one["description"] or "")
        badge = _badge(one["state"], COLOURS.get(one["state"], "plain"))
        lines.append(f"{badge} {escape(one['context'])} {said}")
    return lines


def _state(row: Row) -> str:
    said = str(row["conclusion"] or row["status"])
    return _badge(said.replace("_", " "), COLOURS.get(said, "plain"))


def _why(row: Row) -> str:
    return f": {escape(row['problem'])}" if row["problem"] else ""


def _reviews(store: Store, number: int) -> list[str]:
    lines = []
    for one in reviews_of(store, number):
        badge = _badge(one["state"].replace("_", " ").lower(), COLOURS.get(one["state"], "plain"))
        text = to_html(one["body"]) if one["body"].strip() else ""
        lines.append(f"{badge} {escape(one['author'])}, of <code>{one['sha'][:7]}</code>{text}")
    return lines


def _merging(store: Store, repository: Repository, pull: Row) -> list[str]:
    if pull["merged"] is not None:
        return [f"Merged by {escape(pull['merged_by'])} as <code>{pull['merge_sha'][:7]}</code>."]
    if pull["state"] == "closed":
        return ["Closed without merging."]
    if not pull["mergeable"]:
        return ["It conflicts with its base."]
    blocks = [escape(line) for line in what_blocks(store, repository, pull)]
    return blocks or ["It can be merged."]
