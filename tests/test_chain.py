"""What running all the notebooks in an empty folder builds is exactly what stands in this project."""

import json

import nbformat
import pytest

from executed import Chain, project_files
from tutorial.given import source_of
from tutorial.home import PROJECT
from tutorial.milestones import Milestone, all_milestones
from tutorial.sync import sync, written_path
from tutorial.workspace import Workspace

# The finished workspace, as far as the milestones have built it.
BUILT = (
    *("app/", "data/", "infra/", ".streamlit/", "README.md", ".gitignore"),
    *("Dockerfile", "heroku.yml", ".dockerignore", "scripts/", "tests/app/"),
    *(".github/workflows/deploy_app.yml",),
)
# Here it would stand in the way of this project's own settings.
ONLY_THERE = {"pytest.ini"}
# What milestone 5 will give: it stands here and is tested before its chapter is.
TO_COME = (
    *("app/registration.py", "app/sources/registry"),
    *(
        "scripts/candidate.py",
        "scripts/champion.py",
        "scripts/promote.py",
        "scripts/publication.py",
    ),
)
# The workshop's own, beside the reader's scripts.
OURS = ("scripts/tutorial/", "scripts/setup.sh")
LONGEST_WRITTEN = 80  # lines: a file that a reader writes fits a screen

milestones = pytest.mark.parametrize(
    "milestone", all_milestones(), ids=lambda m: f"milestone-{m.number}"
)


def cells_of(milestone: Milestone) -> list[nbformat.NotebookNode]:
    return list(nbformat.read(milestone.notebook, as_version=4).cells)


def test_the_notebooks_build_exactly_the_files_of_the_project(chain: Chain) -> None:
    built = set(Workspace(chain.home.workspace).git("ls-files").splitlines())
    expected = {
        name
        for name in project_files()
        if name.startswith(BUILT) and not name.startswith((*OURS, *TO_COME))
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
    answered = {0: 0, 1: 1, 2: 2, 3: 3, 4: 3}
    for milestone in all_milestones():
        check = chain.home.recall(f"check-{milestone.number}")
        assert check is not None
        assert check["passed"] == check["total"] > 0
        audit = chain.home.recall(f"audit-{milestone.number}")
        assert audit == {"answered": answered[milestone.number], "of": 8}


def test_cells_pictures_and_files_are_in_step() -> None:
    assert sync(write=False) == []


@milestones
def test_notebooks_are_committed_without_outputs(milestone: Milestone) -> None:
    raw = json.loads(milestone.notebook.read_text(encoding="utf-8"))
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


@milestones
def test_a_chapter_has_every_part_that_chapters_have(milestone: Milestone) -> None:
    cells = cells_of(milestone)
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
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
    exercises, solutions = (
        prose.count("### Exercise "),
        prose.count("<summary>Solution</summary>"),
    )
    assert exercises == solutions >= 2
    # A folded solution is executed, and fails the notebook if it does not solve the exercise.
    assert code.count("assert lab.exercise(") == exercises


@milestones
def test_code_cells_are_short(milestone: Milestone) -> None:
    lengths = sorted(
        len(cell.source.splitlines())
        for cell in cells_of(milestone)
        if cell.cell_type == "code" and not written_path(cell.source)
    )
    assert lengths[len(lengths) // 2] <= 5


def test_no_output_shows_a_place_on_this_machine_or_a_failure(chain: Chain) -> None:
    for milestone in all_milestones():
        executed = chain.copy / milestone.notebook.relative_to(PROJECT)
        outputs = json.dumps(
            [cell.get("outputs", []) for cell in nbformat.read(executed, as_version=4).cells]
        )
        for place in (str(PROJECT), str(chain.home.root), str(chain.copy), "Traceback"):
            assert place not in outputs
        assert '"name": "stderr"' not in outputs
