"""What stands in for the actions that our workflows use."""

import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from rehearsal import (
    CACHE,
    CHECKOUT,
    DOWNLOAD,
    SETUP_PYTHON,
    SETUP_UV,
    UPLOAD,
    Rehearsal,
    log,
    only_job,
    workflow,
)


def outcome(details: dict[str, Any]) -> list[str]:
    return [step["conclusion"] for step in only_job(details)["steps"]]


def test_a_checkout_is_the_pushed_commit_on_its_branch(rehearsal: Rehearsal) -> None:
    rehearsal.commit({"a.txt": "older"})
    details = rehearsal.run(
        {
            "a.txt": "newer",
            "w.yml": workflow(f"""
                - uses: {CHECKOUT}
                - run: |
                    cat a.txt; echo
                    test "$(git rev-parse HEAD)" = "$GITHUB_SHA"
                    git rev-parse --abbrev-ref HEAD
                    git rev-list --count HEAD
            """),
        }
    )
    assert log(details, 2) == ["newer", "main", "1"]


def test_a_checkout_can_have_all_history_or_another_branch(rehearsal: Rehearsal) -> None:
    rehearsal.commit({"a.txt": "other"})
    rehearsal.receive("other")
    details = rehearsal.run(
        {
            "a.txt": "main",
            "w.yml": workflow(f"""
                - uses: {CHECKOUT}
                  with: {{fetch-depth: 0}}
                - run: git rev-list --count HEAD
                - uses: {CHECKOUT}
                  with: {{ref: other, path: there}}
                - run: cat there/a.txt
                - uses: {CHECKOUT}
                  with: {{ref: nowhere, path: x}}
            """),
        }
    )
    assert log(details, 2) == ["2"]
    assert log(details, 4) == ["other"]
    assert "There is no branch, tag or commit 'nowhere'" in log(details, 5)[-1]


@pytest.mark.parametrize(
    ("persist", "permissions", "pushes"),
    [("true", "write", True), ("false", "write", False), ("true", "read", False)],
)
def test_a_job_pushes_only_with_credentials_and_the_permission(
    rehearsal: Rehearsal, persist: str, permissions: str, pushes: bool
) -> None:
    steps = f"""
        - uses: {CHECKOUT}
          with: {{persist-credentials: {persist}}}
        - run: git push origin HEAD:refs/heads/pushed
    """
    details = rehearsal.run_steps(steps, extra=f"permissions: {{contents: {permissions}}}")
    assert outcome(details) == ["success", "success" if pushes else "failure"]
    assert rehearsal.repository.exists("refs/heads/pushed") is pushes
    # As with GITHUB_TOKEN on GitHub, what a job pushes starts nothing.
    assert len(rehearsal.store.runs()) == 1
    assert any("Pushed by a job" in line for line in log(details, 2)) is pushes


def test_python_is_an_environment_of_the_job_and_pip_installs_from_the_cache(
    rehearsal: Rehearsal,
) -> None:
    details = rehearsal.run_steps(f"""
        - uses: {SETUP_PYTHON}
          id: python
          with: {{python-version: "3.99"}}
        - run: |
            python -m pip install typing-extensions --quiet
            pip install tqdm --quiet
            python -c "import sys, typing_extensions, tqdm; print(sys.prefix != sys.base_prefix)"
            python -c "import pytest" 2>/dev/null || echo "nothing of ours"
            pip uninstall --quiet tqdm && pip list --format json
            echo ${{{{ steps.python.outputs.python-version }}}}
    """)
    mine = platform.python_version()
    assert f"Python {mine} of this machine stands in. Python 3.99 is asked for." in log(details, 1)
    lines = log(details, 2)
    assert lines[:2] == ["True", "nothing of ours"]
    assert lines[-1] == mine
    assert '"typing-extensions"' in lines[-2]
    assert "tqdm" not in lines[-2]


def test_uv_is_put_on_the_path_and_nothing_else_of_ours(rehearsal: Rehearsal) -> None:
    details = rehearsal.run_steps(f"""
        - uses: {SETUP_UV}
          with: {{enable-cache: true}}
        - run: |
            uv --version > /dev/null && echo uv
            command -v tutorial || echo "no tutorial"
    """)
    assert log(details, 2) == ["uv", "no tutorial"]


def test_a_cache_gives_back_what_a_run_that_went_well_has_kept(rehearsal: Rehearsal) -> None:
    steps = """
        - uses: {cache}
          id: c
          with:
            path: |
              kept
              ~/.kept
            key: k-${{{{ hashFiles('*.lock') }}}}-{key}
            restore-keys: k-
        - run: echo "[${{{{ steps.c.outputs.cache-hit }}}}] $(cat kept/a ~/.kept)"
        - run: mkdir -p kept; echo -n {key} | tee kept/a > ~/.kept; {end}
    """

    def run(key: str, end: str = "exit 0") -> str:
        details = rehearsal.run_steps(steps.format(cache=CACHE, key=key, end=end))
        return next(line for line in log(details, 2) if line.startswith("["))

    assert run("one", "exit 1") == "[] "
    assert run("one") == "[] "
    assert run("one") == "[true] oneone"
    assert run("two") == "[false] oneone"
    assert run("two") == "[true] twotwo"


TWO_JOBS = """
on: push
jobs:
  make:
    runs-on: x
    steps:
      - run: mkdir -p out/deep && echo 1 > out/deep/a && echo 2 > out/b && echo 3 > out/.hidden && echo 4 > c
      - uses: {upload}
        with: {{name: all, path: out}}
      - uses: {upload}
        with:
          name: some
          path: |
            out/**/a
            c
            !out/b
      - uses: {upload}
        with: {{name: none, path: nowhere, if-no-files-found: ignore}}
  take:
    needs: make
    runs-on: x
    steps:
      - uses: {download}
        with: {{name: all, path: here}}
      - uses: {download}
        with: {{path: '${{{{ runner.temp }}}}/every'}}
      - run: find . "$RUNNER_TEMP/every" -type f | sed "s#$RUNNER_TEMP/##" | sort
      - uses: {download}
        with: {{name: none}}
"""


def test_artifacts_go_from_job_to_job(rehearsal: Rehearsal) -> None:
    details = rehearsal.run({"w.yml": TWO_JOBS.format(upload=UPLOAD, download=DOWNLOAD)})
    steps = details["jobs"][1]["steps"]
    assert [line for line in steps[2]["log"].splitlines() if not line.startswith("$")] == [
        "./here/b",
        "./here/deep/a",
        "every/all/b",
        "every/all/deep/a",
        "every/some/c",
        "every/some/out/deep/a",
    ]
    assert "has no artifact none" in steps[3]["log"]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (f"- uses: {UPLOAD}\n  with: {{path: ../../../secrets.json}}", "leaves the workspace"),
        (f"- uses: {UPLOAD}\n  with: {{path: x, if-no-files-found: error}}", "nothing is kept"),
        (f"- uses: {UPLOAD}\n  with: {{path: x, name: ../y}}", "no name of an artifact"),
        (f"- uses: {DOWNLOAD}\n  with: {{path: ../../../..}}", "leaves the folders of the job"),
        (f"- uses: {DOWNLOAD}\n  with: {{run-id: ../1}}", "has to be a number"),
        (f"- uses: {CHECKOUT}\n  with: {{path: ../../..}}", "leaves the folders of the job"),
        (f"- uses: {CHECKOUT}\n  with: {{fetch-depth: all}}", "has to be a number"),
        (f"- uses: {CHECKOUT}\n  with: {{persist-credentials: maybe}}", "true or false"),
        (f"- uses: {CACHE}\n  with: {{path: x, key: 'a,b'}}", "without commas"),
    ],
)
def test_a_wrong_input_fails_the_step_in_a_sentence(
    rehearsal: Rehearsal, step: str, words: str
) -> None:
    details = rehearsal.run_steps(step)
    assert outcome(details)[0] == "failure"
    assert words in log(details)[-1]


def test_the_machine_has_what_a_job_needs() -> None:
    assert shutil.which("git")
    assert shutil.which("bash")
    assert Path(sys.executable).with_name("uv").exists()
