"""The local cloud: services on this machine that stand in for AWS, Heroku and GitHub."""

from tutorial.cloud.access import client, environment, keep_profile, profile_keys
from tutorial.cloud.supervision import (
    ServiceState,
    down,
    kill,
    log_of,
    restart,
    start_service,
    status,
    stop_service,
    up,
)

__all__ = [
    "ServiceState",
    "client",
    "down",
    "environment",
    "keep_profile",
    "kill",
    "log_of",
    "profile_keys",
    "restart",
    "start_service",
    "status",
    "stop_service",
    "up",
]
