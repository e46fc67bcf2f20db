"""What a notebook calls, called by notebooks: small ones, executed in kernels of their own."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nbformat import NotebookNode
from small_notebook import cells_of, printed, refused, shown_error, text, write_notebook
from small_server import in_json, small_server

from tutorial import cloud, lab
from tutorial.errors import TutorialError
from tutorial.execution import execute
from tutorial.home import PROJECT, Home
from tutorial.serving import running_app
from tutorial.workspace import Workspace

OUTSIDE = "That cell would write outside the workspace: run lab.begin() again, then the cell."
NOT_BEGUN = "This notebook is not in the workspace: run the cell with lab.begin() first."


def run(home: Home, *cells: NotebookNode | str) -> list[NotebookNode]:
    """Execute a notebook of these cells in a home, and return them with their outputs."""
    notebook = write_notebook(home.root.parent / "small.ipynb", *cells)
    output = home.root.parent / "executed" / "small.ipynb"
    execute(notebook, output, home.root.parent / "scratch", home.environment())
    return cells_of(output)


Session = Callable[[str], NotebookNode]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Session]:
    """A reader's session in one kernel; ask for a cell, as executed, by its first line.

    Every cell is allowed to fail: each test looks at what its cell said.
    """
    root = tmp_path_factory.mktemp("session") / "home"
    home = Home(root, root / "workspace")
    elsewhere = root.parent / "elsewhere"
    sources = [
        "from tutorial import lab; import os, pathlib, sys",
        "lab.give('LICENSE')  # too early",
        "lab.serve()  # too early",
        "lab.commit(0)  # too early",
        "%%writefile early.txt\nearly",
        "lab.begin(0)\nprint(pathlib.Path.cwd())",
        "%%writefile app/deep/new.py\nprint('new')\n",
        "%%writefile ../above.txt\nabove",
        f"%%writefile {elsewhere}/absolute.txt\nabsolute",
        f"import os; os.environ['HOME'] = {str(elsewhere)!r}",
        "%%writefile ~/tilde.txt\ntilde",
        '%%writefile "../in quotes.txt"\nin quotes',
        "%%writefile 'with a space.txt'\ninside",
        "%%writefile app/__init__.py\nMINE = True",
        "!false",
        "!echo some words; python -c 'raise SystemExit(3)'",
        '!python -c "import sys; print(sys.executable)"',
        "lab.give('app/data.py', show='data_digest')",
        "lab.give('app/nothing.py')",
        "import app; print(app.__file__, app.MINE)",
        "lab.check(0)",
        "lab.exercise('how many reviews', 864)",
        "lab.audit()",
        "%cd ..",
        "%%writefile wandered.txt\nwandered",
        "lab.give('LICENSE')  # elsewhere",
        "lab.begin(0)  # again",
        "lab.begin(0)  # once more",
        "lab.commit(0)",
        "lab.begin(7)",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TUTORIAL_HOME", raising=False)
        patch.chdir(root.parent)
        elsewhere.mkdir()
        cells = run(home, *map(refused, sources))

    def cell(first: str) -> NotebookNode:
        [found] = [c for c in cells if c.source.split("\n")[0] == first]
        return found

    return home, cell


@pytest.mark.parametrize("call", ["lab.give('LICENSE')", "lab.serve()", "lab.commit(0)"])
def test_before_begin_nothing_is_done(session: tuple[Home, Session], call: str) -> None:
    _, cell = session
    assert shown_error(cell(f"{call}  # too early")) == [NOT_BEGUN]


def test_begin_makes_the_workspace_and_goes_there(session: tuple[Home, Session]) -> None:
    home, cell = session
    said = printed(cell("lab.begin(0)")).splitlines()
    assert said == ["Milestone 0: Zero Ops. You are in workspace/.", str(home.workspace)]
    assert Workspace(home.workspace).is_ours()


def test_a_cell_writes_a_file_into_the_workspace(session: tuple[Home, Session]) -> None:
    home, cell = session
    assert (home.workspace / "app" / "deep" / "new.py").read_text() == "print('new')\n"
    assert printed(cell("%%writefile app/deep/new.py")) == "Writing app/deep/new.py\n"
    assert (home.workspace / "with a space.txt").read_text() == "inside\n"


@pytest.mark.parametrize(
    "place",
    [
        "../above.txt",
        "{elsewhere}/absolute.txt",
        "~/tilde.txt",
        '"../in quotes.txt"',
        "wandered.txt",
    ],
)
def test_a_cell_that_would_write_elsewhere_is_refused_with_one_sentence(
    session: tuple[Home, Session], place: str
) -> None:
    home, cell = session
    elsewhere = home.root.parent / "elsewhere"
    writing = cell(f"%%writefile {place.format(elsewhere=elsewhere)}")
    assert shown_error(writing) == [OUTSIDE]
    name = Path(place.strip('"')).name
    assert list(home.root.parent.rglob(name)) == []


@pytest.mark.parametrize("command", ["!false", "!echo some words; python -c 'raise SystemExit(3)'"])
def test_a_command_that_fails_fails_its_cell(session: tuple[Home, Session], command: str) -> None:
    _, cell = session
    assert shown_error(cell(command)) != []
    assert "some words" in printed(cell(command)) or command == "!false"


def test_python_in_a_command_is_that_of_the_kernel(session: tuple[Home, Session]) -> None:
    _, cell = session
    said = printed(cell('!python -c "import sys; print(sys.executable)"'))
    assert said.strip() == sys.executable


def test_a_given_file_is_counted_and_its_key_lines_are_shown(
    session: tuple[Home, Session],
) -> None:
    home, cell = session
    giving = cell("lab.give('app/data.py', show='data_digest')")
    original = (PROJECT / "app" / "data.py").read_text()
    assert (home.workspace / "app" / "data.py").read_text() == original
    assert printed(giving).split() == [str(original.count("\n")), "lines", "app/data.py"]
    shown = giving.outputs[-1].data["text/markdown"]
    assert shown.startswith("```python\ndef data_digest(")
    assert shown.strip("`python\n") in original


def test_a_file_that_cannot_be_given_is_one_sentence(session: tuple[Home, Session]) -> None:
    _, cell = session
    said = shown_error(cell("lab.give('app/nothing.py')"))
    assert said == ["There is no file app/nothing.py to give: look at the spelling."]


def test_import_app_means_the_reader_s(session: tuple[Home, Session]) -> None:
    home, cell = session
    said = printed(cell("import app; print(app.__file__, app.MINE)"))
    assert said == f"{home.workspace / 'app' / '__init__.py'} True\n"


def test_a_check_without_an_app_is_one_sentence(session: tuple[Home, Session]) -> None:
    _, cell = session
    said = shown_error(cell("lab.check(0)"))
    assert said == ["The workspace has no app/main.py: build milestone 0 first."]


def test_an_audit_is_shown_and_recorded(session: tuple[Home, Session]) -> None:
    home, cell = session
    [output] = cell("lab.audit()").outputs
    assert output.data["text/html"].count("nobody can tell") == 8
    assert "<b>0 of 8</b>" in output.data["text/html"]
    assert home.recall("audit-0") == {"answered": 0, "of": 8}


def test_after_leaving_the_workspace_nothing_is_given(session: tuple[Home, Session]) -> None:
    home, cell = session
    assert shown_error(cell("lab.give('LICENSE')  # elsewhere")) == [NOT_BEGUN]
    assert not (home.root / "LICENSE").exists()


def test_begin_keeps_uncommitted_work_on_a_branch_once(session: tuple[Home, Session]) -> None:
    home, cell = session
    said = printed(cell("lab.begin(0)  # again")).splitlines()
    assert said[0].startswith("Your uncommitted work is safe on the branch yours/")
    branch = said[0].split()[-1].rstrip(".")
    kept = Workspace(home.workspace).git("show", f"{branch}:app/deep/new.py")
    assert kept == "print('new')"
    assert (home.workspace / "app" / "deep" / "new.py").is_file()
    assert "safe on" not in printed(cell("lab.begin(0)  # once more"))


def test_a_commit_is_tagged_and_its_statistics_are_printed(session: tuple[Home, Session]) -> None:
    home, cell = session
    assert "files changed" in printed(cell("lab.commit(0)"))
    assert Workspace(home.workspace).tagged(0)


def test_a_milestone_that_is_none_is_one_sentence_before_anything_is_done(
    session: tuple[Home, Session],
) -> None:
    _, cell = session
    [said] = shown_error(cell("lab.begin(7)"))
    assert said.startswith("There is no milestone 7 yet: choose from 0")
    assert printed(cell("lab.begin(7)")) == ""


# --- the check, failing


def test_a_check_that_fails_shows_every_item_and_raises_one_sentence(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an app that answers but has no model, and a workspace without data
    Workspace(home.workspace).prepare()
    card = {"status": "unavailable", "checked": "now", "problem": "There <is> no model."}
    shown: list[str] = []
    monkeypatch.setattr(lab, "home", home)
    monkeypatch.setattr(lab, "display", lambda html: shown.append(html.data))
    with small_server({"/model": in_json(card, 503)}) as server:
        home.record("app", {"url": server.url, "pid": os.getpid()})
        # When it is checked
        with pytest.raises(TutorialError) as raised:
            lab.check(0)
    # Then the first failing item is told with its hint, the table tells of all, and it is recorded
    assert str(raised.value).startswith("5 of 5 do not hold yet. The page answers: / answers 404.")
    assert raised.value._render_traceback_() == [str(raised.value)]
    assert shown[0].count("✗") == 5
    assert "There &lt;is&gt; no model." in shown[0]
    assert home.recall("check-0") == {"passed": 0, "total": 5}


# --- the app ends with the kernel


def test_the_app_that_a_notebook_serves_ends_with_its_kernel_in_good_order(
    finished: Home,
) -> None:
    cells = run(finished, "from tutorial import lab\nlab.begin(0)", "app = lab.serve()")
    assert "The app answers at http://127.0.0.1:" in printed(cells[1])
    assert running_app(finished) is None


# --- catching up

BEGIN_1 = "from tutorial import lab\nlab.begin(1)"
BUILD = """
lab.home.record("check-0", {"passed": 1, "total": 1})
pathlib.Path("built").write_text("by milestone 0")
"""


def project_of_two_milestones(folder: Path, *cells: str) -> Path:
    """Make a project whose milestone 0 has these cells; return where its `tutorial` is."""
    shutil.copytree(PROJECT / "scripts" / "tutorial", folder / "scripts" / "tutorial")
    write_notebook(folder / "notebooks" / "00_a.ipynb", text("# Milestone 0: A"), *cells)
    write_notebook(folder / "notebooks" / "01_b.ipynb", text("# Milestone 1: B"))
    return folder / "scripts"


@pytest.fixture(scope="module")
def caught_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, str]]:
    """The workspace of a reader who begins milestone 1 with milestone 0 half done, and what they see."""
    root = tmp_path_factory.mktemp("caught-up") / "home"
    home = Home(root, root / "workspace")
    workspace = Workspace(home.workspace)
    workspace.prepare()
    (workspace.path / "committed").write_text("by hand")
    workspace.git("add", "--all")
    workspace.git("commit", "--quiet", "--message", "By hand")
    (workspace.path / "half").write_text("done")
    try:
        with pytest.MonkeyPatch.context() as patch:
            begin = "import pathlib\nfrom tutorial import lab\nlab.begin(0)"
            project = root.parent / "project"
            tutorial = project_of_two_milestones(project, begin, BUILD, "lab.commit(0)")
            patch.setenv("PYTHONPATH", str(tutorial))
            [cell] = run(home, BEGIN_1)
        yield workspace, printed(cell)
    finally:
        cloud.down(home)  # which milestone 1 brought up


def test_a_milestone_that_was_not_finished_is_executed_first(
    caught_up: tuple[Workspace, str],
) -> None:
    workspace, said = caught_up
    assert "Milestone 0 comes first: catching up.\n" in said
    assert said.endswith("Milestone 1: B. You are in workspace/.\n")
    assert workspace.tagged(0)
    assert workspace.git("show", "main:built") == "by milestone 0"
    assert workspace.git("ls-tree", "--name-only", "milestone-0") == "built"


def test_catching_up_shows_its_progress_in_words_that_a_notebook_can_show(
    caught_up: tuple[Workspace, str],
) -> None:
    _, said = caught_up
    assert "4/4 cells" in said
    assert "\x1b" not in said
    assert len(said.splitlines()) < 20


def test_catching_up_keeps_what_was_not_committed(caught_up: tuple[Workspace, str]) -> None:
    workspace, said = caught_up
    branch = said.split("safe on the branch ")[1].split()[0].rstrip(".")
    assert workspace.git("show", f"{branch}:half") == "done"


def test_catching_up_keeps_what_the_reader_committed(caught_up: tuple[Workspace, str]) -> None:
    workspace, _ = caught_up
    assert "By hand" in workspace.git("log", "main", "--format=%s") or (
        "yours/" in workspace.git("branch", "--contains", ":/By hand")
    )


def test_catching_up_that_fails_is_one_sentence(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(project_of_two_milestones(tmp_path / "project", "1 / 0")))
    [cell] = run(home, refused(BEGIN_1))
    [sentence] = shown_error(cell)
    assert sentence.startswith("00_a.ipynb stopped: cell 2 ('1 / 0') raised ZeroDivisionError")


# --- a chapter that builds nothing

VISIT_0 = "from tutorial import lab\nlab.visit(0)"


def test_a_visit_finds_what_the_milestone_built_and_can_change_nothing(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a reader who has not finished milestone 0
    begin = "import pathlib\nfrom tutorial import lab\nlab.begin(0)"
    project = project_of_two_milestones(tmp_path / "project", begin, BUILD, "lab.commit(0)")
    monkeypatch.setenv("PYTHONPATH", str(project))
    # When they open a chapter that comes after it
    cells = run(
        home,
        VISIT_0,
        "import os; print(os.listdir(), os.getcwd())",
        refused("lab.give('LICENSE')"),
        refused("lab.commit(0)"),
        refused("%%writefile ../above.txt\nabove"),
    )
    # Then they are caught up with, and are where it was built
    assert "Milestone 0 comes first: catching up.\n" in printed(cells[0])
    assert printed(cells[0]).splitlines()[-1] == (
        "You are in workspace/, with what milestone 0 built. This chapter builds nothing."
    )
    assert "'built'" in printed(cells[1])
    assert str(home.workspace) in printed(cells[1])
    assert [shown_error(cell) for cell in cells[2:]] == [[NOT_BEGUN], [NOT_BEGUN], [OUTSIDE]]
    assert not Workspace(home.workspace).tagged(1)


def test_a_visit_later_on_leaves_the_workspace_as_it_is(home: Home) -> None:
    workspace = Workspace(home.workspace)
    workspace.prepare()
    workspace.git("tag", "milestone-0")
    (workspace.path / "later").write_text("by milestone 1")
    workspace.git("add", "--all")
    workspace.git("commit", "--quiet", "--message", "Later")
    before = workspace.git("for-each-ref"), workspace.git("rev-parse", "HEAD")
    [cell] = run(home, VISIT_0)
    assert printed(cell).count("\n") == 1
    assert (workspace.git("for-each-ref"), workspace.git("rev-parse", "HEAD")) == before
    assert workspace.git("status", "--porcelain") == ""
