"""What the steps of a job find, do and leave."""

import base64
import stat
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
from rehearsal import Rehearsal, log, only_job, workflow
from waiting import until

from tutorial.github import steps as steps_module
from tutorial.github import transcript
from tutorial.github.masking import Masker
from tutorial.github.step_files import StepFileError, read_pairs
from tutorial.github.vault import Vault


def conclusions(details: dict[str, Any]) -> list[str]:
    return [step["conclusion"] for step in only_job(details)["steps"]]


def test_a_step_gives_outputs_variables_and_a_path_to_those_after_it(rehearsal: Rehearsal) -> None:
    details = rehearsal.run_steps("""
        - id: first
          run: |
            echo "word=hello" >> "$GITHUB_OUTPUT"
            printf 'many<<END\\na\\nb\\nEND\\n' >> "$GITHUB_OUTPUT"
            echo "LATER=on" >> "$GITHUB_ENV"
            mkdir "$RUNNER_TEMP/bin"; printf '#!/bin/sh\\necho ours' > "$RUNNER_TEMP/bin/ours"
            chmod +x "$RUNNER_TEMP/bin/ours"
            echo "$RUNNER_TEMP/bin" >> "$GITHUB_PATH"
            echo '# Well done' >> "$GITHUB_STEP_SUMMARY"
            echo "now: $LATER"
        - name: Say ${{ steps.first.outputs.word }}
          run: |
            echo '${{ toJSON(steps.first.outputs.many) }}' "$LATER ${{ env.LATER }} $(ours)"
    """)
    assert details["conclusion"] == "success"
    assert log(details, 1) == ["now: "]
    assert log(details, 2) == ['"a\\nb" on on ours']
    assert only_job(details)["steps"][1]["name"] == "Say hello"
    assert only_job(details)["summary"] == "# Well done\n"


def test_variables_of_workflow_job_and_step_hide_one_another(rehearsal: Rehearsal) -> None:
    details = rehearsal.run_steps(
        """
        - run: echo "$A $B $C ${{ env.C }}"
          env: {C: step}
        - run: echo "$A $B $C"
        """,
        extra="env: {A: workflow, B: workflow, C: workflow}",
        job="env: {B: job, C: job}",
    )
    assert log(details, 1) == ["workflow job step step"]
    assert log(details, 2) == ["workflow job job"]


def test_a_job_knows_nothing_of_our_environment(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEROKU_API_KEY", "of the reader")
    monkeypatch.setenv("GIT_EDITOR", "theirs")
    details = rehearsal.run_steps("""
        - run: |
            echo "${HEROKU_API_KEY-unset} ${GIT_EDITOR-unset} $CI $GITHUB_ACTIONS $GITHUB_REPOSITORY"
            test "$HOME" != "$PWD" && test -z "$(ls -A "$HOME")" && test -z "$(ls -A .)"
            test "$GITHUB_SHA" = ${{ github.sha }} && test -s "$GITHUB_EVENT_PATH"
    """)
    assert log(details) == ["unset unset true true reader/workspace"]
    assert details["conclusion"] == "success"


def test_what_runs_after_a_failure_is_what_asks_for_it(rehearsal: Rehearsal) -> None:
    details = rehearsal.run_steps("""
        - {id: bad, run: exit 3}
        - run: echo not this
        - if: failure()
          run: echo "${{ steps.bad.outcome }} ${{ job.status }}"
        - {if: always(), run: echo always}
        - {if: cancelled(), run: echo not this}
    """)
    assert conclusions(details) == ["failure", "skipped", "success", "success", "skipped"]
    assert details["conclusion"] == "failure"
    assert log(details, 1)[-1] == "Error: the script ended with exit status 3."
    assert log(details, 3) == ["failure failure"]


def test_a_failure_may_be_forgiven(rehearsal: Rehearsal) -> None:
    details = rehearsal.run_steps("""
        - {id: bad, run: exit 1, continue-on-error: true}
        - run: echo "${{ steps.bad.outcome }} ${{ steps.bad.conclusion }}"
    """)
    assert details["conclusion"] == "success"
    assert log(details, 2) == ["failure success"]


def test_a_pipe_fails_where_bash_is_named_as_on_github(rehearsal: Rehearsal) -> None:
    details = rehearsal.run_steps("""
        - {run: "false | true"}
        - {run: "false | true", shell: bash, continue-on-error: true, id: named}
        - run: echo ${{ steps.named.outcome }}
    """)
    assert conclusions(details)[0] == "success"
    assert log(details, 3) == ["failure"]


def test_jobs_run_after_those_they_need_and_get_their_outputs(rehearsal: Rehearsal) -> None:
    text = """
on: push
jobs:
  last:
    needs: [good, bad]
    if: always()
    runs-on: x
    steps: [{run: 'echo ${{ needs.good.outputs.word }} ${{ needs.bad.result }}'}]
  never:
    needs: bad
    runs-on: x
    steps: [{run: echo}]
  bad: {runs-on: x, steps: [{run: exit 1}]}
  good:
    runs-on: x
    outputs: {word: '${{ steps.s.outputs.word }}'}
    steps: [{id: s, run: 'echo word=hello >> "$GITHUB_OUTPUT"'}]
"""
    details = rehearsal.run({"w.yml": text})
    jobs = {job["key"]: job for job in details["jobs"]}
    assert list(jobs) == ["bad", "never", "good", "last"]
    assert [job["conclusion"] for job in jobs.values()] == [
        "failure",
        "skipped",
        "success",
        "success",
    ]
    assert "hello failure" in jobs["last"]["steps"][0]["log"].splitlines()
    assert details["conclusion"] == "failure"


SECRET = "p4ss word/+\"'&é"  # noqa: S105 - nobody's


@pytest.mark.parametrize(
    "command",
    [
        'echo "say $KEY"',
        'printf %s "$KEY" | base64 -w0',
        'printf "user:%s" "$KEY" | base64 -w0',
        'printf "us:%s" "$KEY" | base64 -w0',
        'python3 -c \'import os,urllib.parse as u; print(u.quote(os.environ["KEY"], safe=""))\'',
        "python3 -c 'import os,json; print(json.dumps(os.environ[\"KEY\"]))'",
        'echo "::error::$KEY"',
        'echo "$KEY" >> "$GITHUB_STEP_SUMMARY"',
        'echo "${{ secrets.KEY }}" # in the script itself',
        'head -c 65530 /dev/zero | tr "\\0" x; echo "$KEY"',
    ],
)
def test_a_secret_that_is_printed_is_masked_in_all_that_is_kept(
    rehearsal: Rehearsal, command: str
) -> None:
    rehearsal.vault.set_secret("KEY", SECRET)
    steps = "- env: {KEY: '${{ secrets.KEY }}'}\n  name: With ${{ secrets.KEY }}\n  run: |\n"
    details = rehearsal.run_steps(f"{steps}    {command} || true\n")
    kept = list((rehearsal.state / "logs").rglob("*.*"))
    texts = [str(details), *(path.read_text(encoding="utf-8") for path in kept)]
    encoded = base64.b64encode(SECRET.encode()).decode()
    for text in texts:
        for form in (SECRET, "p4ss", encoded[4:12], "word%2F", "é"):
            assert form not in text
    assert "***" in str(details)
    database = b"".join(path.read_bytes() for path in rehearsal.state.glob("runs.sqlite*"))
    assert SECRET.encode() not in database


def test_each_line_of_a_secret_is_masked_and_what_a_step_asks_to_mask(rehearsal: Rehearsal) -> None:
    rehearsal.vault.set_secret("PEM", "BEGIN\nline-of-key\nEND")
    details = rehearsal.run_steps("""
        - run: |
            echo "::add-mask::made-up"
            echo "a made-up word"
            echo "line-of-key"
            echo "::stop-commands::x9"
            echo "::add-mask::word"
            echo "::x9::"
            echo "a word"
    """)
    assert log(details) == ["a *** word", "***", "::add-mask::word", "a word"]


def test_a_job_does_not_hand_a_secret_on_as_output(rehearsal: Rehearsal) -> None:
    rehearsal.vault.set_secret("KEY", SECRET)
    details = rehearsal.run_steps(
        "- run: echo",
        job="outputs: {leak: '${{ secrets.KEY }}', fine: '${{ github.ref_name }}'}",
    )
    row = rehearsal.store.jobs(details["id"])[0]
    assert row["outputs"] == '{"leak": "", "fine": "main"}'


def test_a_secret_that_is_not_set_is_empty_and_the_log_says_so(rehearsal: Rehearsal) -> None:
    details = rehearsal.run_steps("""
        - env: {KEY: '${{ secrets.NOT_SET }}'}
          run: echo "[$KEY]"
        - run: echo
    """)
    assert log(details, 2) == [""]
    assert log(details) == ["[]", "The secret NOT_SET is not set: it is empty, as on GitHub."]


def test_a_step_has_nothing_to_read(rehearsal: Rehearsal) -> None:
    details = rehearsal.run_steps('- run: cat; read -r line || echo "nothing to read"')
    assert log(details) == ["nothing to read"]


def test_a_step_that_prints_without_end_is_cut_with_a_line_that_says_so(
    rehearsal: Rehearsal,
) -> None:
    details = rehearsal.run_steps("""
        - run: head -c 50000000 /dev/zero | tr '\\0' 'y' | fold -w 79; exit 4
        - if: always()
          run: head -c 50000000 /dev/zero | tr '\\0' 'y'; echo; echo after
    """)
    path = rehearsal.store.log_file(details["id"], only_job(details)["id"], 1)
    assert path.stat().st_size < transcript.LIMIT + 200
    assert log(details, 1)[-2:] == [transcript.CUT, "Error: the script ended with exit status 4."]
    assert log(details, 2)[0].endswith("y [The line is cut here.]")
    assert log(details, 2)[1:] == ["after"]


@pytest.fixture
def short_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute of `timeout-minutes` is over in half a second."""
    monkeypatch.setattr(steps_module, "MINUTE", 0.5)
    monkeypatch.setattr("tutorial.github.job_execution.MINUTE", 0.5)


# Starts a process of its own, and neither heeds a friendly signal.
NEVER_ENDS = "(trap '' TERM; sleep 1000) & trap '' TERM; while true; do sleep 1000; done"


@pytest.mark.usefixtures("short_minutes")
def test_a_step_that_never_ends_is_ended_with_all_it_started(rehearsal: Rehearsal) -> None:
    details = rehearsal.run_steps(f"""
        - timeout-minutes: 1
          run: "{NEVER_ENDS}"
        - if: failure()
          run: echo goes on
    """)
    assert conclusions(details) == ["failure", "success"]
    assert log(details, 1) == ["Error: the step has taken longer than its `timeout-minutes`."]


@pytest.mark.usefixtures("short_minutes")
def test_a_job_that_never_ends_is_cancelled(rehearsal: Rehearsal) -> None:
    details = rehearsal.run_steps(
        f'- run: "{NEVER_ENDS}"\n- run: echo not this\n- {{if: cancelled(), run: echo}}',
        job="timeout-minutes: 1",
    )
    assert conclusions(details) == ["cancelled", "skipped", "success"]
    assert details["conclusion"] == "cancelled"


def test_a_cancelled_run_ends_its_step_and_runs_what_asks_for_it(rehearsal: Rehearsal) -> None:
    cancelled = threading.Event()
    threading.Timer(0.5, cancelled.set).start()
    details = rehearsal.run(
        {"w.yml": workflow("- run: sleep 1000\n- run: echo\n- {if: always(), run: echo}")},
        cancelled,
    )
    assert conclusions(details) == ["cancelled", "skipped", "success"]
    assert details["conclusion"] == "cancelled"


def test_what_a_step_leaves_running_ends_with_the_job(rehearsal: Rehearsal, tmp_path: Path) -> None:
    # One in the step's own group, and one that left it; both hold the step's output open.
    details = rehearsal.run_steps(f"""
        - run: |
            sleep 1000 & echo $! > {tmp_path}/pids
            setsid sh -c 'echo $$ >> {tmp_path}/pids; exec sleep 1000' & echo started
        - run: |
            while test "$(wc -l < {tmp_path}/pids)" != 2; do sleep 0.05; done
            kill -0 $(cat {tmp_path}/pids) && echo both are there
    """)
    assert log(details, 2) == ["both are there"]
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    until(lambda: not any(map(psutil.pid_exists, pids)), "a process is left", 10)


def test_remarks_are_kept_with_file_and_line(rehearsal: Rehearsal) -> None:
    details = rehearsal.run_steps("""
        - run: |
            echo "::warning file=app/a.py,line=3,title=Old::Use%0Athe new"
            echo "::group::Part"; echo inside; echo "::endgroup::"; echo "::debug::hidden"
            echo "::unknown::kept"
    """)
    (remark,) = only_job(details)["annotations"]
    assert (remark["level"], remark["file"], remark["line"]) == ("warning", "app/a.py", 3)
    assert (remark["title"], remark["message"]) == ("Old", "Use\nthe new")
    assert log(details) == ["Warning: Use", "the new", "> Part", "inside", "::unknown::kept"]


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("echo '::set-output name=a::b'", "write to GITHUB_OUTPUT"),
        ('echo nonsense >> "$GITHUB_OUTPUT"', "write `name=value`"),
        ("echo 'a<<END' >> \"$GITHUB_ENV\"", "no line 'END'"),
        ('echo GITHUB_SHA=x >> "$GITHUB_ENV"', "may not set GITHUB_SHA"),
        ('head -c 2000000 /dev/zero > "$GITHUB_OUTPUT"', "larger than 1 MB"),
        ("echo ${{ github.nothing }}", "does not know `github.nothing`"),
        ("echo ${{ fromJSON('{') }}", "is not JSON"),
    ],
)
def test_a_step_that_speaks_wrongly_fails_in_a_sentence(
    rehearsal: Rehearsal, run: str, words: str
) -> None:
    details = rehearsal.run_steps(f"- run: |\n    {run}\n")
    assert details["conclusion"] == "failure"
    assert words in log(details)[-1]


def test_a_folder_that_is_not_there_is_told(rehearsal: Rehearsal) -> None:
    details = rehearsal.run_steps("- {run: pwd, working-directory: nowhere}")
    assert log(details) == ["Error: There is no folder nowhere to run in: check out first?"]


def test_a_deployment_is_recorded_and_the_former_one_made_inactive(rehearsal: Rehearsal) -> None:
    job = "environment: {name: production, url: 'https://${{ steps.s.outputs.at }}'}"
    steps = "- {id: s, run: 'echo at=here >> \"$GITHUB_OUTPUT\"'}\n- run: test ! -e bad\n"
    for _ in range(2):
        details = rehearsal.run_steps(steps, job=job)
    rehearsal.run_steps("- run: exit 1", job=job)
    states = [one["state"] for one in rehearsal.store.deployments("production")]
    assert states == ["failure", "success", "inactive"]
    (deployment,) = details["deployments"]
    assert deployment["url"] == "https://here"
    assert deployment["sha"] == details["commit"]


def test_nothing_of_a_job_is_left(rehearsal: Rehearsal) -> None:
    rehearsal.run_steps("- run: mkdir -p a/b && touch a/b/c && chmod 500 a/b && chmod 500 a")
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(10)
    assert list((rehearsal.state / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("GITHUB_X", "may not start with GITHUB_"),
        ("1A", "no name"),
        ("A-B", "no name"),
        ("", "no name"),
    ],
)
def test_names_of_secrets_and_variables_are_those_that_github_takes(
    tmp_path: Path, name: str, words: str
) -> None:
    vault = Vault(tmp_path)
    for keep in (vault.set_secret, vault.set_variable):
        with pytest.raises(Exception, match=words):
            keep(name, "x")
    assert vault.secrets() == vault.variables() == {}


def test_secrets_are_their_owners_alone(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    vault.set_secret("key", "1")
    vault.set_secret("Key", "2")
    vault.set_variable("a", "x")
    assert vault.secrets() == {"KEY": "2"}
    modes = [
        stat.S_IMODE((tmp_path / f"{n}.json").stat().st_mode) for n in ("secrets", "variables")
    ]
    assert modes == [0o600, 0o644]
    vault.remove_secret("KEY")
    assert vault.secrets() == {}


def test_masks_prefer_the_longest() -> None:
    masker = Masker(["abc", "abcdef", "", "  "])
    assert masker.mask("xabcdefx abc  ") == "x***x ***  "


def test_pairs_of_the_files() -> None:
    text = "a=1\r\n\nb=x=y<<z\nc<<E\n1=2\n\nE\n"
    assert read_pairs(text, "F") == [("a", "1"), ("b", "x=y<<z"), ("c", "1=2\n")]
    for wrong in ("a", "=b", "a<<", "a<<E\nx"):
        with pytest.raises(StepFileError):
            read_pairs(wrong, "F")
