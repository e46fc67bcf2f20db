"""`tutorial start`: an address that works, with a screen or without, and a good end."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests
from waiting import until

from tutorial.cloud import status
from tutorial.home import Home


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_jupyterlab_opens_at_the_first_notebook_and_ends_when_told(
    home: Home, tmp_path: Path, number: signal.Signals
) -> None:
    log = tmp_path / "said.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tutorial", "start"],
            env={**os.environ, "TUTORIAL_HOME": str(home.root)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until(lambda: "stays up" in log.read_text() or process.poll() is not None, "it is up")
        said = log.read_text()
        assert "There is no screen here" in said
        address = re.search(r"http://127\.0\.0\.1:\d+/\S+token=\w+", said)
        assert address, said
        base, token = re.match(r"(http://[^/]+)/.*token=(\w+)", address[0]).groups()  # type: ignore[union-attr]
        headers = {"Authorization": f"token {token}"}
        url = f"{base}/api/contents/notebooks/00_zero_ops.ipynb?content=0"
        assert requests.get(url, headers=headers, timeout=10).status_code == 200
        assert requests.get(url, timeout=10).status_code == 403
        # The addresses of the local cloud, which is up, stand above it
        for service in status(home):
            assert service.state == "running"
            assert re.search(rf"^  {service.name} +{service.url or 'running'}$", said, re.MULTILINE)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        assert process.wait(240) == 0
        until(lambda: not any(member.is_running() for member in family), "all have ended")
        assert {service.state for service in status(home)} == {"stopped"}
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
