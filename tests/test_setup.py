"""What sets the project up: it leaves what is there alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tutorial.home import PROJECT


def test_a_python_behind_a_shim_does_not_make_the_environment_anew(tmp_path: Path) -> None:
    """uv takes a shim for another Python than the environment's, and would remove the environment."""
    commands, called = tmp_path / "bin", tmp_path / "called"
    commands.mkdir()
    for name, script in {
        "python3": f'exec {sys.executable} "$@"',
        "uv": f'printf "%s\\n" "$*" >> {called}',
    }.items():
        (commands / name).write_text(f"#!/bin/sh\n{script}\n")
        (commands / name).chmod(0o755)
    (tmp_path / "scripts").mkdir()
    shutil.copy(PROJECT / "scripts" / "setup.sh", tmp_path / "scripts")
    environment = {**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("PYTHON", None)

    done = subprocess.run(
        ["sh", "scripts/setup.sh", "learn"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    (sync,) = [line for line in called.read_text().splitlines() if line.startswith("sync")]
    assert f"--python {sys.executable}" in sync
    assert "--inexact" in sync
