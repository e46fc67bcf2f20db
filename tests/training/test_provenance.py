"""Where a model comes from: the digests change with what decides about it, and with nothing else."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from plain import is_one_sentence

from app.model import Params
from app.parameters import Parameters
from app.provenance import ProvenanceError, git_commit, input_digest, lock_digest

PARAMETERS = Parameters("workshop", "workshop", Params())
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": ["What it is."]},
        {"cell_type": "code", "source": ["a = 1\n", "a"], "outputs": [], "execution_count": None},
        {"cell_type": "code", "source": "b = 2", "outputs": [], "execution_count": None},
    ]
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the inputs of a training, which no commit has yet; its git knows nobody."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "app/requirements.txt": "numpy==2.0\n",
        "app/model.py": "ONE = 1\n",
        "app/sources/s3.py": "TWO = 2\n",
        "notebooks/requirements.txt": "mlflow==3.17\n",
        "notebooks/train.ipynb": json.dumps(NOTEBOOK),
        "data/train.csv": "review\n",
        "params.yaml": "C: 1\n",
        "README.md": "# Mine\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    git("init", "--quiet", ".")
    return tmp_path


def git(*arguments: str) -> str:
    me = ["-c", "user.name=Grace", "-c", "user.email=grace@example.org"]
    command = ["git", *me, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit() -> str:
    git("add", ".")
    git("commit", "--quiet", "--allow-empty", "-m", "a state")
    return git("rev-parse", "HEAD")


def digest() -> str:
    return input_digest(PARAMETERS, "d" * 64, "e" * 64)


def test_the_commit_is_named(folder: Path) -> None:
    known = commit()
    assert git_commit() == known


@pytest.mark.parametrize(
    "path", ["app/model.py", "app/new.py", "data/train.csv", "params.yaml", "notebooks/train.ipynb"]
)
def test_a_commit_is_dirty_by_an_input(folder: Path, path: str) -> None:
    known = commit()
    with (folder / path).open("a") as file:
        file.write("\n")
    assert git_commit() == f"{known}-dirty"


def test_an_input_that_is_gone_makes_it_dirty(folder: Path) -> None:
    known = commit()
    (folder / "params.yaml").unlink()
    assert git_commit() == f"{known}-dirty"


@pytest.mark.parametrize("path", ["README.md", "mlflow.db", "training/record.json"])
def test_a_commit_is_not_dirty_by_another_file(folder: Path, path: str) -> None:
    known = commit()
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_text("changed", encoding="utf-8")
    assert git_commit() == known


def test_a_person_who_sees_no_untracked_files_has_them_all_the_same(folder: Path) -> None:
    known = commit()
    git("config", "status.showUntrackedFiles", "no")
    (folder / "app" / "new.py").write_text("THREE = 3\n", encoding="utf-8")
    assert git_commit() == f"{known}-dirty"


def refusal(ask: Callable[[], str]) -> str:
    with pytest.raises(ProvenanceError) as error:
        ask()
    assert is_one_sentence(str(error.value)), error.value
    return str(error.value)


def test_a_folder_without_a_commit_is_refused(folder: Path) -> None:
    assert refusal(git_commit).startswith("This folder has no commit, so nobody could train")


def test_without_git_nobody_can_tell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit()
    monkeypatch.setenv("PATH", str(folder))
    assert refusal(git_commit).startswith("git is missing: install it")


def test_where_git_cannot_say_nothing_passes_for_clean(folder: Path) -> None:
    commit()
    (folder / ".git" / "index").write_bytes(b"no index")
    assert refusal(git_commit).startswith("git cannot tell what was changed since the commit: ")


def test_a_lock_that_is_missing_is_named(folder: Path) -> None:
    (folder / "notebooks" / "requirements.txt").unlink()
    sentence = "notebooks/requirements.txt cannot be read (No such file or directory): commit it."
    assert refusal(lock_digest) == refusal(digest) == sentence


def test_the_lock_s_digest_changes_with_each_file_and_with_which_is_which(folder: Path) -> None:
    seen = {lock_digest()}
    app, notebooks = folder / "app" / "requirements.txt", folder / "notebooks" / "requirements.txt"
    one, other = app.read_text(), notebooks.read_text()
    for first, second in ((one + "#", other), (one, other + "#"), (other, one), (one + other, "")):
        app.write_text(first)
        notebooks.write_text(second)
        seen.add(lock_digest())
    assert len(seen) == 5


def test_the_input_digest_changes_with_each_parameter_and_each_data(folder: Path) -> None:
    params = replace(PARAMETERS.params, min_df=2)
    others = (
        (replace(PARAMETERS, params=params), "d" * 64, "e" * 64),
        (replace(PARAMETERS, data="imdb"), "d" * 64, "e" * 64),
        (replace(PARAMETERS, test="imdb"), "d" * 64, "e" * 64),
        (PARAMETERS, "c" * 64, "e" * 64),
        (PARAMETERS, "d" * 64, "c" * 64),
        (PARAMETERS, "e" * 64, "d" * 64),
    )
    assert len({digest(), *(input_digest(*other) for other in others)}) == 7


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("app/model.py", "ONE = 2\n"),
        ("app/sources/s3.py", "TWO = 3\n"),
        ("app/new.py", ""),
        ("app/requirements.txt", "numpy==2.1\n"),
        ("notebooks/requirements.txt", "mlflow==3.18\n"),
    ],
)
def test_the_input_digest_changes_with_code_and_lock(folder: Path, path: str, text: str) -> None:
    before = digest()
    (folder / path).write_text(text, encoding="utf-8")
    assert digest() != before


def test_a_file_of_another_name_is_another_input(folder: Path) -> None:
    before = digest()
    (folder / "app" / "model.py").rename(folder / "app" / "models.py")
    assert digest() != before


def test_the_input_digest_changes_with_a_cell_of_code(folder: Path) -> None:
    seen = {digest()}
    for number, source in ((1, "a = 2\na"), (2, ["b = 2", "\n"])):
        cells = [dict(cell) for cell in NOTEBOOK["cells"]]
        cells[number]["source"] = source
        (folder / "notebooks" / "train.ipynb").write_text(json.dumps({"cells": cells}))
        seen.add(digest())
    assert len(seen) == 3


def test_neither_outputs_nor_words_nor_the_commit_change_the_input_digest(folder: Path) -> None:
    before = digest()
    commit()
    cells = [dict(cell) for cell in NOTEBOOK["cells"]]
    cells[0]["source"] = ["What it is, in other words."]
    cells[1] |= {"outputs": [{"output_type": "stream", "text": "1"}], "execution_count": 7}
    cells[2]["source"] = ["b = ", "2"]  # as another editor writes it
    metadata = {"kernelspec": {"name": "another"}}
    text = json.dumps({"cells": cells, "metadata": metadata}, indent=4)
    (folder / "notebooks" / "train.ipynb").write_text(text)
    (folder / "README.md").write_text("# Ours\n", encoding="utf-8")
    commit()
    assert digest() == before
