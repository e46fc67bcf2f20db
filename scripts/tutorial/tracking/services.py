"""The tracking server as services of the local cloud."""

import sys

from tutorial.cloud.services import Service
from tutorial.home import Home
from tutorial.tracking.nginx import command, find_nginx
from tutorial.tracking.record import root_of, tracking

PATIENCE = 180  # seconds: on a busy machine MLflow takes a minute


def tracking_services(home: Home) -> list[Service]:
    """Return MLflow, and nginx before it where this machine has one; none before milestone 4."""
    installed = tracking(home)
    if installed is None:
        return []
    root = root_of(home).relative_to(home.root)
    unit, nginx = [sys.executable, "-m", "tutorial.tracking.unit", str(root)], find_nginx()
    public, inner = installed.ports["nginx"], installed.ports["mlflow"]
    if nginx:
        return [
            Service("mlflow", inner, "/health", unit, {}, PATIENCE),
            Service("nginx", public, "/health", command(nginx, root), {}),
        ]
    return [Service("mlflow", public, "/health", [*unit, "--own-password"], {}, PATIENCE)]
