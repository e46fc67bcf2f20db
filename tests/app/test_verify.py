"""`python -m app.verify` keeps a release that cannot serve from going live."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from plain import is_one_sentence

from app import verify


def test_a_model_that_predicts_its_own_example_lets_the_release_pass(
    model_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MODEL_URI", str(model_file))

    status = verify.main()

    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    assert str(model_file) in out


def test_a_fallback_lets_the_release_pass_and_is_told_of(
    model_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODEL_URI", "nothing.skops")
    monkeypatch.setenv("MODEL_FALLBACK_URI", str(model_file))

    status = verify.main()

    out, err = capsys.readouterr()
    assert status == 0
    assert str(model_file) in out
    assert "nothing.skops" in err
    assert is_one_sentence(err.removesuffix("\n"))


@pytest.mark.parametrize("uri", ["nothing.skops", "data/test.csv", "ftp://host/model"])
def test_without_a_model_the_release_fails_in_a_sentence(
    uri: str,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("MODEL_URI", uri)

    status = verify.main()

    out, err = capsys.readouterr()
    assert (status, out) == (1, "")
    assert uri in err
    assert is_one_sentence(err.removesuffix("\n"))


def test_a_setting_that_makes_no_sense_fails_in_a_sentence(project: Path) -> None:
    """As the platform runs it: a process, of which the exit status counts."""
    done = subprocess.run(
        [sys.executable, "-m", "app.verify"],
        cwd=project,
        env={**os.environ, "MODEL_REFRESH_SECONDS": "often"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("MODEL_REFRESH_SECONDS is 'often'")
    assert is_one_sentence(done.stderr.removesuffix("\n"))
