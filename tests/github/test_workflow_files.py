"""Workflow files: what is supported is read, and anything else is an error that names file and line."""

from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rehearsal import CHECKOUT, DOWNLOAD

from tutorial.github.document import WorkflowError
from tutorial.github.supported import refuse_unsupported
from tutorial.github.workflow import Workflow, read_workflow
from tutorial.home import PROJECT

OWN = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))


def read(text: str) -> Workflow:
    return read_workflow(dedent(text).lstrip("\n").encode(), "w.yml")


def with_steps(steps: str) -> str:
    return f"on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n{steps}"


def test_our_own_workflows_are_read() -> None:
    assert [path.name for path in OWN]
    for path in OWN:
        assert read_workflow(path.read_bytes(), path.name).jobs


def test_the_workflow_that_deploys_can_be_rehearsed() -> None:
    (path,) = (path for path in OWN if path.name == "deploy_app.yml")
    refuse_unsupported(read_workflow(path.read_bytes(), path.name))


def test_everything_that_is_supported_is_read() -> None:
    workflow = read(f"""
        name: All
        run-name: For ${{{{ github.ref }}}}
        on:
          push: {{branches: [main, 'v*'], paths-ignore: ['*.md']}}
          pull_request: {{types: [opened], branches: main}}
          workflow_run: {{workflows: [Other], types: [completed]}}
          workflow_dispatch: {{inputs: {{a: {{type: string}}}}}}
          schedule: [{{cron: '1 2 * * 1'}}]
        env: {{A: 1.50, B: yes, C: true, D: }}
        permissions: {{contents: read}}
        concurrency: {{group: g, cancel-in-progress: false}}
        defaults: {{run: {{shell: bash, working-directory: app}}}}
        jobs:
          one:
            name: First
            runs-on: [self-hosted, linux]
            timeout-minutes: 5
            outputs: {{x: '${{{{ steps.s.outputs.x }}}}'}}
            strategy: {{matrix: {{python: ['3.11', '3.13']}}}}
            permissions: read-all
            steps:
              - id: s
                name: Say
                if: always()
                run: echo
                env: {{E: '${{{{ secrets.E }}}}'}}
                shell: bash
                working-directory: .
                timeout-minutes: 1
                continue-on-error: true
          two:
            needs: one
            if: github.ref == 'refs/heads/main'
            runs-on: ubuntu-latest
            environment: {{name: production, url: 'https://x'}}
            concurrency: h
            steps:
              - uses: {CHECKOUT}
                with: {{persist-credentials: false}}
    """)
    assert set(workflow.on) == {
        "push",
        "pull_request",
        "workflow_run",
        "workflow_dispatch",
        "schedule",
    }
    # As YAML 1.2 and GitHub read them: a number loses its zero, `yes` is a text.
    assert {name: text.source for name, text in workflow.env.items()} == {
        "A": "1.5",
        "B": "yes",
        "C": "true",
        "D": "",
    }
    assert [job.key for job in workflow.in_order()] == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "empty"),
        ("on: push\njobs: [", 2, "not valid YAML"),
        ("on: push\n  jobs: x", 2, "not valid YAML"),
        ("on: push\njobs:\n\ta: b", 3, "not valid YAML"),
        ("a: &a x\nb: *a", 2, "aliases"),
        ("on: push\non: push\njobs: {}", 2, "stands twice"),
        ("- a", 1, "mapping"),
        ("on: push", 1, "`jobs` is missing"),
        ("jobs: {}", 1, "`on` is missing"),
        ("on: push\njobs: {}", 2, "no job"),
        ("on: [push, release]\njobs: {}", 1, "`release` is not known"),
        ("on:\n  push:\n    branch: main\njobs: {a: {}}", 3, "`branch` is not known"),
        ("on: push\nsteps: []\njobs: {}", 2, "`steps` is not known"),
        ("on: push\nenv: [a]\njobs: {}", 2, "mapping"),
        ("on: push\njobs:\n  a:\n    steps: []", 4, "`runs-on` is missing"),
        ("on: push\njobs:\n  a:\n    container: x", 4, "`container` is not known"),
        (with_steps("      - name: x"), 6, "either `run` or `uses`"),
        (with_steps("      - run: x\n        uses: y"), 6, "either `run` or `uses`"),
        (with_steps("      - run: x\n        shell: pwsh"), 7, "bash"),
        (with_steps("      - run: x\n        with: {a: b}"), 7, "goes with `uses`"),
        (with_steps("      - run: x\n        timeout-minutes: soon"), 7, "number of minutes"),
        (with_steps("      - run: x\n        if: secrets.A"), 7, "`secrets` is not available"),
        (with_steps("      - run: |\n          a\n          ${{ nope }}"), 8, "`nope`"),
        (with_steps("      - run: x ${{ a"), 6, "no `}}`"),
        (with_steps("      - {id: s, run: x}\n      - {id: S, run: y}"), 7, "given to two steps"),
        ("on: push\njobs:\n  a:\n    needs: b\n    runs-on: x\n    steps: [{run: x}]", 4, "`b`"),
        ("on: push\njobs:\n  a:\n    needs: a\n    runs-on: x\n    steps: [{run: x}]", 4, "itself"),
        ("on: push\npermissions: {content: read}\njobs: {}", 2, "`content` is not known"),
        ("on: {push: {branches: ['[']}}\njobs: {a: {runs-on: x, steps: [{run: x}]}}", 1, "pattern"),
        (
            "on: {pull_request: {types: [open]}}\njobs: {a: {runs-on: x, steps: [{run: x}]}}",
            1,
            "open",
        ),
        ("on: workflow_run\njobs: {a: {runs-on: x, steps: [{run: x}]}}", 1, "`workflows`"),
        ("on: schedule\njobs: {a: {runs-on: x, steps: [{run: x}]}}", 1, "cron"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(text: str, line: int, words: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        read_workflow(text.encode(), "w.yml")
    assert str(caught.value).startswith(f"w.yml:{line}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"on: push\nname: \xff", 2), (b"on: push\nname: \x00", 2), (b"[" * 400_000, 1)],
)
def test_what_is_no_text_or_too_deep_is_told(content: bytes, line: int) -> None:
    with pytest.raises(WorkflowError, match=rf"^w\.yml:{line}: "):
        read_workflow(content, "w.yml")


@pytest.mark.parametrize(
    ("steps", "line", "words"),
    [
        ("      - uses: docker://alpine:3", 6, "the rehearsal has no"),
        ("      - uses: ./mine", 6, "the rehearsal has no"),
        ("      - uses: actions/github-script@" + "a" * 40, 6, "no `actions/github-script`"),
        ("      - uses: actions/checkout@v7", 6, "full commit"),
        (f"      - uses: {CHECKOUT}\n        with:\n          reff: x", 8, "no input `reff`"),
        ("      - uses: actions/cache@" + "a" * 40, 6, "needs the input `path`"),
        (f"      - uses: {DOWNLOAD}\n        with: {{artifact-ids: 1}}", 7, "`artifact-ids`"),
    ],
)
def test_an_action_without_a_shim_is_refused_with_file_and_line(
    steps: str, line: int, words: str
) -> None:
    workflow = read_workflow(with_steps(steps).encode(), "w.yml")
    with pytest.raises(WorkflowError, match=rf"^w\.yml:{line}: ") as caught:
        refuse_unsupported(workflow)
    assert words in str(caught.value)


def test_a_matrix_is_refused_with_file_and_line() -> None:
    job = "  a:\n    strategy:\n      matrix: {x: [1]}\n    runs-on: x\n    steps: [{run: x}]"
    with pytest.raises(WorkflowError, match=r"^w\.yml:5: .*matrix"):
        refuse_unsupported(read(f"on: push\njobs:\n{job}"))


LINES = ["on: push", "jobs:", "  a:", "    steps:", "      - run: x", "    runs-on: x"]
SIGNS = ["${{ ", " }}", "'", '"', "[", "{", "|", "&a ", "*a", "!!x ", "? ", "- ", ": ", "\t", "\n"]
fragments = st.sampled_from([*(f"{line}\n" for line in LINES), *SIGNS])
texts = st.lists(fragments, max_size=12).map("".join).map(str.encode)


@given(st.one_of(st.binary(max_size=60), texts))
def test_nothing_but_its_own_error_is_raised(content: bytes) -> None:
    told = "w.yml:"
    try:
        read_workflow(content, "w.yml")
    except WorkflowError as error:
        told = str(error)
    assert told.startswith("w.yml:")
