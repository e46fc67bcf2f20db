"""Install the tracking server on the laptop: what milestone 4 does, and from then on it is up with the cloud."""

from collections.abc import Callable
from dataclasses import replace

from tutorial import cloud
from tutorial.cloud.access import profile_keys
from tutorial.cloud.services import setting
from tutorial.errors import TutorialError
from tutorial.home import Home
from tutorial.serving import free_port
from tutorial.tracking.host import run_host
from tutorial.tracking.nginx import find_nginx
from tutorial.tracking.record import (
    BLOCK,
    ENVIRONMENT,
    PORTS,
    UNIT,
    Tracking,
    former,
    keep,
    new_password,
    root_of,
    tracking,
)
from tutorial.tracking.services import tracking_services


def install(
    home: Home,
    bucket: str,
    profile: str = "mlflow",
    password: str | None = None,
    say: Callable[[str], object] = print,
) -> Tracking:
    """Run `mlflow_setup.py host` for this home, bring the server up, and return what is known of it.

    Its artifacts go to s3://BUCKET/mlflow with the keys of the profile. A password that is given
    takes the place of the one it had. Harmless to repeat; raises `TutorialError`.
    """
    given = setting(home)
    if given is None:
        raise TutorialError("The local cloud never was up here: run `tutorial up`.")
    profile_keys(home, profile)
    known = former(home)
    if known is None:
        ports = {name: free_port(usual) for name, usual in PORTS.items()}
        known = Tracking(ports, given.ports["s3"], bucket, profile, new_password())
    wanted = replace(
        known,
        bucket=bucket,
        profile=profile,
        password=password or known.password,
        s3=given.ports["s3"],
    )
    before = contents(home), tracking(home)
    said = run_host(home, wanted, cloud.environment(home)).rstrip()
    say(said.replace(f"{root_of(home)}/", "/"))  # as it says on a machine of its own
    keep(home, wanted)
    cloud.up(home, say)
    # A new password alone is nginx's business, which looks at its file at each request.
    if before[1] is not None:
        now = contents(home)
        changed = {name for name in now if now[name] != before[0][name]}
        if find_nginx() is None and wanted != before[1]:
            changed.add("mlflow")
        cloud.restart(home, *(s.name for s in tracking_services(home) if s.name in changed))
    return wanted


def contents(home: Home) -> dict[str, list[str]]:
    """Return what each service reads only when it starts; nothing of a file that is not there."""
    return {
        service: [
            file.read_text(encoding="utf-8") if file.exists() else ""
            for file in (root_of(home) / name for name in names)
        ]
        for service, names in {"mlflow": (UNIT, ENVIRONMENT), "nginx": (BLOCK,)}.items()
    }
