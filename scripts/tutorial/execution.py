"""Execute a notebook without a screen, cell by cell."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from jupyter_core.utils import ensure_dir_exists
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from tutorial.errors import TutorialError

CELL_TIMEOUT = 300  # seconds


def execute(
    notebook: Path,
    output: Path,
    folder: Path,
    environment: dict[str, str],
    progress: Callable[[int, int], object] = lambda done, cells: None,
) -> None:
    """Execute `notebook` with `folder` as its working folder and write the executed copy to `output`.

    The copy is written when a cell fails too. `progress` is called with the numbers of cells done and
    of all cells. Raises `TutorialError` that names the cell and the reason.
    """
    node = nbformat.read(notebook, as_version=4)
    ensure_dir_exists(str(folder))
    ensure_dir_exists(str(output.parent))

    def done(cell: NotebookNode, cell_index: int, **_: Any) -> None:
        progress(cell_index + 1, len(node.cells))

    client = NotebookClient(
        node,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        on_cell_complete=done,
        extra_arguments=["--log-level=ERROR"],
        allow_errors=True,  # so that the failing cell's place is known here
    )
    problem = None
    try:
        with client.setup_kernel(env=environment):
            for index, cell in enumerate(node.cells):
                client.execute_cell(cell, index)
                problem = _failure(cell, index)
                if problem:
                    break
    except CellTimeoutError:
        problem = f"a cell took more than {CELL_TIMEOUT} seconds"
    except (DeadKernelError, RuntimeError) as error:
        problem = str(error) or "the kernel died"
    part = output.with_suffix(".part")
    nbformat.write(node, part)
    part.replace(output)
    if problem:
        raise TutorialError(f"{notebook.name} stopped: {problem}. What it did until then: {output}")
    progress(len(node.cells), len(node.cells))


def _failure(cell: NotebookNode, index: int) -> str | None:
    if cell.cell_type != "code" or "raises-exception" in cell.metadata.get("tags", []):
        return None
    for output in cell.outputs:
        if output.output_type == "error":
            first = cell.source.strip().splitlines()[0][:60]
            return f"cell {index + 1} ({first!r}) raised {output.ename}: {output.evalue.strip()}"
    return None
