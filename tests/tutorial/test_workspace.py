"""The reader's repository: made, marked, committed, and never at the cost of the reader's work."""

import os
import subprocess
from pathlib import Path

import pytest

from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.workspace import Workspace


@pytest.fixture
def workspace(home: Home) -> Workspace:
    """A workspace that was just made."""
    made = Workspace(home.workspace)
    made.prepare()
    return made


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody else would."""
    command = ["git", "-c", "user.name=Else", "-c", "user.email=else@x", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return done.stdout.decode().strip()


def foreign_repository(folder: Path) -> Path:
    """A repository of somebody else, with an identity of its own and a commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    git(folder, "config", "user.name", "Somebody else")
    git(folder, "config", "user.email", "else@localhost")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Theirs")
    return folder


def write(workspace: Workspace, **files: str) -> None:
    for name, content in files.items():
        (workspace.path / name).write_text(content)


def files_of(workspace: Workspace, revision: str) -> dict[str, str]:
    """The files of a revision by name, without their last line break."""
    names = workspace.git("ls-tree", "-r", "--name-only", revision).splitlines()
    return {name: workspace.git("show", f"{revision}:{name}") for name in names}


def branches(workspace: Workspace) -> list[str]:
    return workspace.git("branch", "--format=%(refname:short)").splitlines()


# --- made


def test_prepare_makes_a_repository_that_it_knows_again(workspace: Workspace) -> None:
    assert workspace.is_ours()
    assert workspace.git("branch", "--show-current") == "main"
    assert files_of(workspace, "main") == {}
    first = workspace.git("rev-parse", "HEAD")
    write(workspace, mine="mine")
    workspace.prepare()
    assert workspace.git("rev-parse", "HEAD") == first
    assert (workspace.path / "mine").read_text() == "mine"


def test_prepare_takes_an_empty_folder(home: Home) -> None:
    home.workspace.mkdir(parents=True)
    Workspace(home.workspace).prepare()
    assert Workspace(home.workspace).is_ours()


def test_a_folder_with_files_of_somebody_is_refused_and_left_alone(home: Home) -> None:
    home.workspace.mkdir(parents=True)
    (home.workspace / "thesis.txt").write_text("years of work")
    with pytest.raises(TutorialError, match="move it away"):
        Workspace(home.workspace).prepare()
    assert [path.name for path in home.workspace.iterdir()] == ["thesis.txt"]


def test_a_repository_of_somebody_is_refused_and_left_alone(home: Home) -> None:
    foreign_repository(home.workspace)
    before = git(home.workspace, "for-each-ref"), git(home.workspace, "config", "-l")
    with pytest.raises(TutorialError, match="move it away"):
        Workspace(home.workspace).prepare()
    after = git(home.workspace, "for-each-ref"), git(home.workspace, "config", "-l")
    assert after == before
    assert not Workspace(home.workspace).tagged(0)


def test_a_folder_inside_a_workspace_is_no_workspace(workspace: Workspace) -> None:
    (workspace.path / "app").mkdir()
    (workspace.path / "app" / "main.py").touch()
    with pytest.raises(TutorialError, match="move it away"):
        Workspace(workspace.path / "app").prepare()


def test_a_file_where_the_workspace_should_be_is_refused(home: Home) -> None:
    home.root.mkdir()
    home.workspace.write_text("not a folder")
    with pytest.raises(TutorialError, match="move it away"):
        Workspace(home.workspace).prepare()


# --- whose it is


def test_a_reader_without_an_identity_can_commit(workspace: Workspace) -> None:
    write(workspace, mine="mine")
    workspace.commit(0, "Mine")
    author = workspace.git("log", "-1", "--format=%an <%ae>")
    assert author == "A reader <reader@localhost>"


def test_a_reader_s_own_identity_is_used(home: Home) -> None:
    settings = "[user]\n name = Ada\n email = ada@example.org\n"
    Path(os.environ["HOME"], ".gitconfig").write_text(settings)
    workspace = Workspace(home.workspace)
    workspace.prepare()
    assert workspace.git("log", "-1", "--format=%an <%ae>") == "Ada <ada@example.org>"


def test_everything_works_in_a_git_hook_of_another_repository(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the environment that git gives to a hook
    foreign = foreign_repository(tmp_path / "foreign")
    before = git(foreign, "for-each-ref"), git(foreign, "status", "--porcelain")
    monkeypatch.setenv("GIT_DIR", str(foreign / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(foreign))
    monkeypatch.setenv("GIT_INDEX_FILE", str(foreign / ".git" / "index"))
    # When the tutorial does all that it does with git
    workspace = Workspace(home.workspace)
    workspace.prepare()
    write(workspace, mine="mine")
    kept = workspace.keep_uncommitted_work()
    workspace.commit(0, "Mine")
    workspace.go_back_to("milestone-0")
    # Then all of it took place in the workspace, and nothing in the other repository
    assert workspace.git("config", "--local", "user.name") == "A reader"
    assert files_of(workspace, "main") == files_of(workspace, str(kept))
    monkeypatch.undo()
    after = git(foreign, "for-each-ref"), git(foreign, "status", "--porcelain")
    assert after == before


@pytest.mark.parametrize(
    "settings",
    [
        "[commit]\n gpgSign = true\n[user]\n signingKey = none",
        "[tag]\n gpgSign = true\n[user]\n signingKey = none",
        "[core]\n hooksPath = {hooks}",
        "[core]\n excludesFile = {ignored}",
    ],
    ids=["signed commits", "signed tags", "hooks", "ignored files"],
)
def test_the_reader_s_settings_for_other_repositories_do_not_matter(
    home: Home, tmp_path: Path, settings: str
) -> None:
    # Given somebody who signs what they commit, checks it with hooks, or ignores data
    hooks, ignored = tmp_path / "hooks", tmp_path / "ignored"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    ignored.write_text("*.csv\n")
    text = settings.format(hooks=hooks, ignored=ignored)
    text += "\n[core]\n editor = false\n"  # who would be asked for a message has none
    Path(os.environ["HOME"], ".gitconfig").write_text(text)
    # When they finish a milestone
    workspace = Workspace(home.workspace)
    workspace.prepare()
    write(workspace, **{"train.csv": "review"})
    workspace.commit(0, "Data")
    # Then all of it is committed and tagged
    assert files_of(workspace, "milestone-0") == {"train.csv": "review"}


# --- uncommitted work


@pytest.fixture
def busy(workspace: Workspace) -> Workspace:
    """A workspace with work of every kind that is not committed."""
    write(workspace, edited="old", deleted="old", untouched="old", twice="old")
    write(workspace, **{".gitignore": "models/\n"})
    workspace.commit(0, "Begun")
    write(workspace, edited="new", staged="new", untracked="new", twice="staged")
    workspace.git("add", "staged", "twice")
    write(workspace, twice="staged, then edited")
    (workspace.path / "deleted").unlink()
    (workspace.path / "models").mkdir()
    (workspace.path / "models" / "sentiment.skops").write_text("a model")
    return workspace


def test_uncommitted_work_of_every_kind_is_kept(busy: Workspace) -> None:
    kept = busy.keep_uncommitted_work()
    assert kept is not None
    assert kept.startswith("yours/")
    assert files_of(busy, kept) == {
        ".gitignore": "models/",
        "edited": "new",
        "staged": "new",
        "twice": "staged, then edited",
        "untouched": "old",
        "untracked": "new",
    }
    assert busy.git("rev-parse", f"{kept}^") == busy.git("rev-parse", "main")


def test_keeping_it_leaves_files_index_and_branch_as_they_are(busy: Workspace) -> None:
    def state() -> list[str]:
        return [
            busy.git("status", "--porcelain=v2", "--branch", "--untracked-files=all"),
            busy.git("diff", "--cached"),
            busy.git("diff"),
            busy.git("symbolic-ref", "HEAD"),
        ]

    before = state()
    busy.keep_uncommitted_work()
    assert state() == before


def test_a_clean_workspace_has_nothing_to_keep(workspace: Workspace) -> None:
    assert workspace.keep_uncommitted_work() is None
    assert branches(workspace) == ["main"]


def test_the_same_work_is_kept_once_and_more_of_it_again(busy: Workspace) -> None:
    first = busy.keep_uncommitted_work()
    assert busy.keep_uncommitted_work() is None
    write(busy, untracked="newer")
    second = busy.keep_uncommitted_work()
    assert second not in (None, first)
    assert files_of(busy, str(second))["untracked"] == "newer"
    assert sorted(branches(busy)) == sorted(["main", str(first), str(second)])


def test_going_back_restores_files_and_leaves_ignored_ones(busy: Workspace) -> None:
    busy.keep_uncommitted_work()
    busy.go_back_to("milestone-0")
    assert busy.git("status", "--porcelain", "--untracked-files=all") == ""
    assert (busy.path / "edited").read_text() == "old"
    assert (busy.path / "deleted").read_text() == "old"
    assert not (busy.path / "untracked").exists()
    assert (busy.path / "models" / "sentiment.skops").read_text() == "a model"


def test_going_back_ends_on_main_from_wherever(workspace: Workspace) -> None:
    write(workspace, mine="old")
    workspace.commit(0, "Old")
    workspace.git("checkout", "--quiet", "-b", "an-exercise")
    write(workspace, mine="new")
    workspace.commit(1, "New")
    workspace.go_back_to("milestone-0")
    assert workspace.git("branch", "--show-current") == "main"
    assert files_of(workspace, "main") == {"mine": "old"}


# --- commits


def test_a_commit_is_tagged_and_says_what_changed(workspace: Workspace) -> None:
    write(workspace, mine="one\ntwo\n")
    said = workspace.commit(0, "Zero Ops")
    assert "mine | 2 ++" in said
    assert "1 file changed, 2 insertions(+)" in said
    assert workspace.tagged(0)
    assert workspace.git("log", "-1", "--format=%s%d", "--decorate=short") == (
        "Milestone 0: Zero Ops (HEAD -> main, tag: milestone-0)"
    )


def test_a_second_commit_without_a_change_makes_none_and_says_the_same(
    workspace: Workspace,
) -> None:
    write(workspace, mine="one")
    first = workspace.commit(0, "Zero Ops")
    before = workspace.git("rev-parse", "HEAD", "milestone-0")
    assert workspace.commit(0, "Zero Ops") == first
    assert workspace.git("rev-parse", "HEAD", "milestone-0") == before


def test_commits_made_on_the_way_belong_to_the_milestone(workspace: Workspace) -> None:
    write(workspace, mine="one")
    workspace.commit(0, "Zero Ops")
    write(workspace, container="FROM")
    workspace.git("add", "--all")
    workspace.git("commit", "--quiet", "--message", "by hand")
    said = workspace.commit(1, "Deploy")
    assert "container" in said
    assert "mine" not in said
    assert workspace.git("rev-parse", "milestone-1") == workspace.git("rev-parse", "HEAD")


def test_an_earlier_milestone_run_again_keeps_its_tag(workspace: Workspace) -> None:
    write(workspace, mine="one")
    workspace.commit(0, "Zero Ops")
    write(workspace, container="FROM")
    workspace.commit(1, "Deploy")
    before = workspace.git("rev-parse", "milestone-0")
    assert "mine" in workspace.commit(0, "Zero Ops")
    assert workspace.git("rev-parse", "milestone-0") == before


def test_a_milestone_that_changes_nothing_says_so(workspace: Workspace) -> None:
    write(workspace, mine="one")
    workspace.commit(0, "Zero Ops")
    assert workspace.commit(1, "Deploy") == "Nothing has changed since milestone-0."


def test_a_milestone_done_again_takes_its_tag_along(workspace: Workspace) -> None:
    write(workspace, mine="one")
    workspace.commit(0, "Zero Ops")
    write(workspace, mine="two")
    workspace.commit(0, "Zero Ops")
    assert files_of(workspace, "milestone-0") == {"mine": "two"}


def test_a_milestone_that_changed_nothing_is_finished_all_the_same(
    workspace: Workspace,
) -> None:
    workspace.commit(0, "Nothing")
    assert workspace.tagged(0)
    assert not workspace.tagged(1)


# --- git itself


def test_a_git_that_fails_is_one_sentence(workspace: Workspace) -> None:
    with pytest.raises(TutorialError, match="git checkout failed in the workspace"):
        workspace.git("checkout", "nowhere")


def test_a_machine_without_git_is_one_sentence(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TutorialError, match="git"):
        Workspace(home.workspace).prepare()
