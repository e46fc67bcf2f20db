"""What running all the notebooks in an empty folder builds is exactly what stands in this project."""

import json

import nbformat
import pytest

from executed import Chain, corpora_at_hand, project_files
from tutorial.given import source_of
from tutorial.home import PROJECT
from tutorial.milestones import (
    Chapter,
    Interlude,
    Milestone,
    all_chapters,
    all_interludes,
    all_milestones,
)
from tutorial.sync import sync, written_path
from tutorial.workspace import Workspace

# The finished workspace, as far as the milestones have built it.
BUILT = (
    *("app/", "data/", "infra/", ".streamlit/", "README.md", ".gitignore"),
    *("Dockerfile", "heroku.yml", ".dockerignore", "scripts/", "tests/app/"),
    *(f".github/workflows/{name}.yml" for name in ("deploy_app", "train", "report", "promote")),
    *("params.yaml", "gate.yaml"),
    *("notebooks/train.ipynb", "notebooks/requirements.txt"),
)
# Here it would stand in the way of this project's own settings.
ONLY_THERE = {"pytest.ini"}
# The workshop's own, beside the reader's scripts.
OURS = ("scripts/tutorial/", "scripts/setup.sh")
CLOSING = "looking_back"  # the last chapter asks what it all brought, and nothing of the reader
LONGEST_WRITTEN = 80  # lines: a file that a reader writes fits a screen

milestones = pytest.mark.parametrize(
    "milestone", all_milestones(), ids=lambda m: f"milestone-{m.number}"
)
chapters = pytest.mark.parametrize("chapter", all_chapters(), ids=lambda c: c.notebook.stem)


def cells_of(chapter: Chapter) -> list[nbformat.NotebookNode]:
    return list(nbformat.read(chapter.notebook, as_version=4).cells)


def executed_cells(chain: Chain, chapter: Chapter) -> list[nbformat.NotebookNode]:
    executed = chain.copy / chapter.notebook.relative_to(PROJECT)
    return list(nbformat.read(executed, as_version=4).cells)


def test_the_notebooks_build_exactly_the_files_of_the_project(chain: Chain) -> None:
    built = set(Workspace(chain.home.workspace).git("ls-files").splitlines())
    expected = {
        name for name in project_files() if name.startswith(BUILT) and not name.startswith(OURS)
    }
    assert built == expected | ONLY_THERE
    different = [
        name
        for name in sorted(built)
        if (chain.home.workspace / name).read_bytes() != source_of(name).read_bytes()
    ]
    assert different == []


def test_the_workspace_is_clean_and_tagged(chain: Chain) -> None:
    workspace = Workspace(chain.home.workspace)
    assert workspace.git("status", "--porcelain") == ""
    assert all(workspace.tagged(milestone.number) for milestone in all_milestones())


def test_every_check_passed_and_the_audit_said_what_the_design_says(
    chain: Chain,
) -> None:
    answered = {0: 0, 1: 1, 2: 2, 3: 3, 4: 3, 5: 7, 6: 8}
    for milestone in all_milestones():
        check = chain.home.recall(f"check-{milestone.number}")
        assert check is not None
        assert check["passed"] == check["total"] > 0
        audit = chain.home.recall(f"audit-{milestone.number}")
        assert audit == {"answered": answered[milestone.number], "of": 8}


def test_cells_pictures_and_files_are_in_step() -> None:
    assert sync(write=False) == []


@chapters
def test_notebooks_are_committed_without_outputs(chapter: Chapter) -> None:
    raw = json.loads(chapter.notebook.read_text(encoding="utf-8"))
    assert raw["metadata"]["kernelspec"]["name"] == "python3"
    for cell in raw["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@milestones
def test_a_file_is_written_once_and_fits_a_screen(milestone: Milestone) -> None:
    written = [(written_path(cell.source), cell.source) for cell in cells_of(milestone)]
    paths = [path for path, _ in written if path]
    assert len(paths) == len(set(paths))
    for path, source in written:
        if path:
            assert len(source.splitlines()) - 1 <= LONGEST_WRITTEN, path
        else:
            assert "%%writefile -a" not in source


def prose_and_code(chapter: Chapter) -> tuple[str, str]:
    """Return all that a chapter says, and all that it executes."""
    prose, code = (
        "\n".join(cell.source for cell in cells_of(chapter) if cell.cell_type == kind)
        for kind in ("markdown", "code")
    )
    return prose, code


@milestones
def test_a_milestone_has_every_part_that_milestones_have(milestone: Milestone) -> None:
    prose, code = prose_and_code(milestone)
    for part in (
        "**What hurts today.**",
        "**Time:**",
        "**Needs:**",
        "## For real",
        "2020",
    ):
        assert part in prose, part
    number = milestone.number
    assert f"milestone-{number}.svg" in prose
    for call in (
        f"lab.begin({number})",
        f"lab.check({number})",
        f"lab.commit({number})",
    ):
        assert call in code, call
    assert "lab.audit()" in code


@pytest.mark.parametrize("interlude", all_interludes(), ids=lambda i: i.name)
def test_an_interlude_visits_and_builds_nothing(interlude: Interlude) -> None:
    prose, code = prose_and_code(interlude)
    for part in ("**What hurts today.**", "**Time:**", "**Needs:**", "**To take away.**"):
        assert part in prose, part
    assert f"lab.visit({interlude.after})" in code
    for call in ("lab.begin(", "lab.give(", "lab.commit(", "%%writefile"):
        assert call not in code, call


@chapters
def test_exercises_have_solutions_that_are_executed(chapter: Chapter) -> None:
    least = 0 if chapter.notebook.stem == CLOSING else 2
    prose, code = prose_and_code(chapter)
    exercises, solutions = (
        prose.count("### Exercise "),
        prose.count("<summary>Solution</summary>"),
    )
    assert exercises == solutions >= least
    # A folded solution is executed, and fails the notebook if it does not solve the exercise.
    assert code.count("assert lab.exercise(") == exercises


@chapters
def test_code_cells_are_short(chapter: Chapter) -> None:
    lengths = sorted(
        len(cell.source.splitlines())
        for cell in cells_of(chapter)
        if cell.cell_type == "code" and not written_path(cell.source)
    )
    assert lengths[len(lengths) // 2] <= 5


def test_no_output_shows_a_place_on_this_machine_or_a_failure(chain: Chain) -> None:
    for chapter in all_chapters():
        outputs = json.dumps([cell.get("outputs", []) for cell in executed_cells(chain, chapter)])
        for place in (str(PROJECT), str(chain.home.root), str(chain.copy), "Traceback"):
            assert place not in outputs
        assert '"name": "stderr"' not in outputs


def test_what_the_model_is_worth_elsewhere_is_measured_or_said_not_to_be(chain: Chain) -> None:
    [chapter] = [each for each in all_interludes() if each.name == "know_your_data"]
    said, measured = "", ""
    for cell in executed_cells(chain, chapter):
        for output in cell.get("outputs", []):
            said += output.get("text", "")
            shown = output.get("data", {}).get("text/html", "")
            measured += shown if "calibration error" in shown and "corpus" in shown else ""
    for corpus in ("workshop", "snippets", "reviews"):
        in_table, in_words = (
            f"<td>{corpus}</td>" in measured,
            f"{corpus}: not measured here. " in said,
        )
        assert in_table != in_words, corpus
    assert "<td>workshop</td>" in measured
    if corpora_at_hand():
        assert "not measured here" not in said
