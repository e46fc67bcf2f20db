"""nginx on a laptop: where it is, and its main settings, which include the server block as it is."""

import os
import shutil
from pathlib import Path

# Where Debian and Homebrew have it. A person's PATH need not name the first.
PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/local/bin")
MAIN = Path("etc/nginx/nginx.conf")
FOLDERS = ("run", "tmp")
# One process: two would have to be ended together, whatever ends the first. Paths are relative to
# the folder of the server, the block's to that of this file.
SETTINGS = """\
daemon off;
master_process off;
pid run/nginx.pid;
error_log stderr;
events {}
http {
    access_log /dev/stdout;
    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;
    include conf.d/mlflow.conf;
}
"""


def path_with_nginx() -> str:
    """Return PATH, with the folders where nginx may be."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *PLACES])


def find_nginx() -> str | None:
    """Return the program, or None where this machine has none."""
    return shutil.which("nginx", path=path_with_nginx())


def command(nginx: str, root: Path) -> list[str]:
    """Return what runs it until it is told to end."""
    return [nginx, "-p", f"{root}/", "-c", str(MAIN), "-e", "stderr"]


def prepare(root: Path) -> None:
    """Make what nginx finds below /etc and /var on a machine of its own."""
    for folder in (*FOLDERS, MAIN.parent):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / MAIN).write_text(SETTINGS, encoding="utf-8")
