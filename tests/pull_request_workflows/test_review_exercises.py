"""Milestone 6's exercises: a rule that is put to cases, and a permission that is tried."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from reader_repository import Reader, serve

from tutorial import review_exercises, rule_probe
from tutorial.errors import TutorialError
from tutorial.exercises import EXERCISES
from tutorial.github.pulls import comments_of
from tutorial.home import PROJECT, Home
from tutorial.review_exercises import GATE, TRAIN

sys.path.append(str(PROJECT / "scripts"))

RULE, PERMISSION = EXERCISES["a gate rule"], EXERCISES["which permission"]
RIGHT = """
from app.evaluation import kinds

def keeps_negation(case):
    if case.champion is None:
        return Verdict(True, "a first model")
    negated = kinds(case.challenger.tested)["negation"]
    was, now = (
        float(((each.positive >= 0.5) == each.truth)[negated].mean())
        for each in (case.champion, case.challenger)
    )
    return Verdict(now >= was - 0.02, f"right on {now:.1%}, and was on {was:.1%}")
"""
FIRST = '    if case.champion is None:\n        return Verdict(True, "a first model")\n'
ALL = RIGHT.replace("[negated].mean()", ".mean()")


def says(source: str) -> str:
    """A rule of this source, whatever it is."""
    return f"def keeps_negation(case):\n    {source}\n"


# --- a rule of the gate


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A workspace with the gate."""
    workspace = tmp_path / "a reader's wörk"
    shutil.copytree(
        PROJECT / "app", workspace / "app", ignore=shutil.ignore_patterns("__pycache__")
    )
    (workspace / "scripts").mkdir()
    for name in GATE:
        shutil.copyfile(PROJECT / name, workspace / name)
    return Home(tmp_path / "home", workspace)


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_right_rule_is_told_what_it_did_and_touches_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    before = files(home.workspace)
    said = RULE(home, f"{RIGHT}\nopen('mine', 'w').write('x')\nprint('Hello')\n")
    assert said.endswith("It saw, first: right on 87.0%, and was on 90.0%")
    assert files(home.workspace) == before


WRONG = {
    "always yes": (says('return Verdict(True, "fine")'), r"says yes to .*87% of .*3 points.*no is"),
    "always no": (says('return Verdict(False, "bad")'), "says no to .* 89% of .*1 points.*yes is"),
    "all reviews": (ALL, "says yes to .* on all reviews it is right more often"),
    "no tolerance": (RIGHT.replace("- 0.02", ""), r"says no to .*\(1 points"),
    "too tolerant": (RIGHT.replace("0.02", "0.05"), r"says yes to .*\(3 points"),
    "the other way round": (RIGHT.replace("was, now", "now, was"), "says yes to .* 87%"),
    "a crash on a first model": (
        RIGHT.replace(FIRST, ""),
        r"first model.*AttributeError, line \d+",
    ),
    "a crash": (says("return 1 / 0"), "raises ZeroDivisionError, line 2: division by zero"),
    "an exit": (says("raise SystemExit(3)"), "raises SystemExit, line 2: 3"),
    "no verdict": (says("return True"), "returns True: return a Verdict"),
    "no evidence": (says('return Verdict(False, "")'), "does not say what it saw"),
    "no function": ("def keeps_negations(case): ...", "no function keeps_negation"),
    "no Python": (
        "def keeps_negation(case:\n",
        r"cannot be run: SyntaxError, line 1: .* never closed",
    ),
    "nothing to import": ("import no_such_module", "cannot be run: ModuleNotFoundError, line 1"),
}


@pytest.mark.parametrize(("source", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_rule_is_told_what_is_wrong(tmp_path: Path, source: str, words: str) -> None:
    with pytest.raises(rule_probe.WrongError, match=words):
        rule_probe.judged(source, tmp_path)


def test_what_is_wrong_comes_from_the_process_in_a_sentence(home: Home) -> None:
    with pytest.raises(TutorialError, match=r"^Of a challenger .* it raises ZeroDivisionError"):
        RULE(home, says("return 1 / 0"))
    end = "import os, sys; sys.stderr.write('the end.'); sys.stderr.flush(); os._exit(0)"
    with pytest.raises(TutorialError, match=r"ended without an answer: the end\.$"):
        RULE(home, says(end))


def test_a_rule_that_never_ends_is_ended(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_exercises, "PATIENCE", 6)
    with pytest.raises(TutorialError, match="After 6 s your rule has not answered"):
        RULE(home, says("import subprocess\n    while True: subprocess.run(['sleep', '60'])"))


def test_what_is_no_rule_or_no_gate_is_told_at_once(home: Home) -> None:
    for answer in ("", "lambda case: True", None):
        with pytest.raises(
            TutorialError, match=r"Give the text of a function keeps_negation\(case\)"
        ):
            RULE(home, answer)
    (home.workspace / "gate.yaml").unlink()
    with pytest.raises(TutorialError, match=r"has no gate\.yaml"):
        RULE(home, RIGHT)


# --- which permission


@pytest.fixture(scope="module")
def reader(folder: Path) -> Iterator[Reader]:
    with serve(folder) as made:
        yield made


@pytest.fixture
def served(reader: Reader) -> Home:
    """A home whose local GitHub answers, with a pull request."""
    if not reader.store.rows("SELECT id FROM pulls"):
        reader.proposals.propose()
    return Home(reader.folder / "home", reader.rehearsal.reader)


@pytest.mark.parametrize(
    "answer",
    [
        *("pull-requests: write", "pull_requests: write", "Pull requests (write)", "pull-requests"),
        *("issues: write", "`issues: write`", "pull-requests: write / issues: write"),
    ],
)
def test_the_missing_permission_is_tried_and_leaves_nothing(
    reader: Reader, served: Home, answer: str
) -> None:
    said = PERMISSION(served, answer)
    assert "contents: read asked to write a comment and got 403" in said
    assert "'Resource not accessible by integration'" in said
    assert comments_of(reader.store, 1) == []
    assert reader.store.rows("SELECT id FROM tokens WHERE owner = 'exercise'") == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("", "Name a permission"),
        ("root", "Name a permission"),
        ("contents: write", "contents is about something else than comments"),
        ("actions: write", "actions is about something else"),
        ("pull-requests: read", "pull-requests: read it could read comments, not write one"),
    ],
)
def test_another_permission_is_told_what_it_is_for(served: Home, answer: str, words: str) -> None:
    with pytest.raises(TutorialError, match=words):
        PERMISSION(served, answer)


def test_a_workflow_that_has_the_permission_is_not_tried(reader: Reader, served: Home) -> None:
    path = served.workspace / TRAIN
    former = path.read_text(encoding="utf-8")
    try:
        path.write_text(former.replace("contents: read", "pull-requests: write", 1))
        with pytest.raises(
            TutorialError, match="gives its jobs pull-requests: write: take it away"
        ):
            PERMISSION(served, "issues: write")
        path.unlink()
        with pytest.raises(TutorialError, match=r"has no \.github/workflows/train\.yml"):
            PERMISSION(served, "issues: write")
    finally:
        path.write_text(former, encoding="utf-8")
    assert comments_of(reader.store, 1) == []


def test_a_github_that_lets_everybody_write_or_nobody_is_noticed(
    served: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"": 403}
    monkeypatch.setattr(
        review_exercises, "_comment", lambda store, given, body: (answers.get(body, 403), "no")
    )
    with pytest.raises(TutorialError, match="With issues: write it is 403 still"):
        PERMISSION(served, "issues: write")
    monkeypatch.setattr(review_exercises, "_comment", lambda store, given, body: (201, None))
    with pytest.raises(TutorialError, match="answers 201, and 403 was to be seen"):
        PERMISSION(served, "issues: write")


def test_without_a_github_that_answers_nothing_is_said_of_it(tmp_path: Path, served: Home) -> None:
    nobody = Home(tmp_path / "home", served.workspace)
    with pytest.raises(TutorialError, match="There is no local GitHub here"):
        PERMISSION(nobody, "issues: write")
    shutil.copytree(served.root / "cloud" / "github", nobody.root / "cloud" / "github")
    addresses = nobody.root / "cloud" / "github" / "addresses.json"
    addresses.write_text('{"api_url": "http://127.0.0.1:1/api/v3"}', encoding="utf-8")
    with pytest.raises(TutorialError, match="The local GitHub does not answer: run `tutorial up`"):
        PERMISSION(nobody, "issues: write")
