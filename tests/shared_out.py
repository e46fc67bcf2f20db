"""How the tests are shared out among pytest-xdist's workers, and what these would take from each other."""

import json
import socket
import tempfile
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tutorial import serving, start
from tutorial.cloud import services
from tutorial.tracking import record

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling
    from xdist.workermanage import WorkerController

CHAIN = "chain"
# What takes longest is begun first, so that no worker has it left when the others are through.
LONGEST = (
    CHAIN,
    "tests/tracking/",
    "tests/test_image.py",
    "tests/infra/",
    "tests/training/",
    "tests/registry/",
    "tests/tutorial/test_cloud_supervision.py",
    "tests/tutorial/test_checks_s3.py",
    "tests/tutorial/test_start.py",
    "tests/tutorial/test_teardown.py",
    "tests/scripts/test_upload.py",
    "tests/test_workflows.py",
    "tests/scripts/test_deploy.py",
    "tests/scripts/test_deploy_to_the_platform.py",
)
ONE_SERVER = ("tests/tracking/", "tests/registry/", "tests/training/", "tests/infra/")
# Where workers tell which tests need the chain: whoever shares them out knows their names alone.
CHAINED = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Prepare what the workers share, in the process that starts them, or does without them."""
    if hasattr(config, "workerinput"):
        return
    hold_usual_ports(config)
    folder = tempfile.TemporaryDirectory(prefix="shared-out-")
    config.add_cleanup(folder.cleanup)
    config.stash[CHAINED] = Path(folder.name) / "chained.json"


def hold_usual_ports(config: pytest.Config) -> None:
    """Keep the ports that the tutorial would rather have from everybody until the tests are over.

    A cloud of one worker would take the port of another's that is down for a moment. So each gets
    ports of its own, as beside a reader's cloud that is up.
    """
    usual = (*services.PORTS.values(), *record.PORTS.values(), serving.PORT, start.PORT)
    for port in usual:
        with suppress(OSError):  # somebody else holds it
            config.add_cleanup(socket.create_server(("127.0.0.1", port)).close)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: "WorkerController") -> None:
    """Tell a worker where to say which tests need the chain."""
    node.workerinput["chained"] = str(node.config.stash[CHAINED])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a worker, say which tests need the chain, and begin with those."""
    if not hasattr(config, "workerinput"):
        return
    chained = {item.nodeid for item in items if CHAIN in getattr(item, "fixturenames", ())}
    said = Path(config.workerinput["chained"])
    part = said.with_suffix(f".{config.workerinput['workerid']}")
    part.write_text(json.dumps(sorted(chained)), encoding="utf-8")
    part.replace(said)

    def place(item: pytest.Item) -> int:
        group = CHAIN if item.nodeid in chained else file_of(item.nodeid)
        return LONGEST.index(group) if group in LONGEST else len(LONGEST)

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "LoadScopeScheduling":
    """Give a file's tests to one worker, which makes what they share once, and the chain's to one.

    xdist's own groups are no help: with pytest 9.2 its marks are ignored without a word (issue 1386).
    """
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):
        @cached_property
        def chained(self) -> frozenset[str]:
            told: Any = json.loads(config.stash[CHAINED].read_text(encoding="utf-8"))
            return frozenset(told)

        def _split_scope(self, nodeid: str) -> str:
            return CHAIN if nodeid in self.chained else file_of(nodeid)

    config.option.loadscopereorder = False  # not by numbers of tests: they are in order
    return Files(config, log)


def file_of(nodeid: str) -> str:
    """Return the file of a test, or its folder, where one server serves all of a folder's tests."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in ONE_SERVER if file.startswith(folder)), file)
