"""nginx's own word: is the certificate good, is the server block right, does it answer."""

import re
import shutil
import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from tracking_account import SetupError
from tracking_files import read, write

SOON = 14  # days before its end that a certificate is worth a word


def certificate_is_good(certificate: str, key: str) -> None:
    """Raise `SetupError` where a certificate and its key cannot serve; say so where it ends soon."""
    for file in (certificate, key):
        Path(file).read_bytes()  # which names the file that cannot be read
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        why = (error.reason or "they cannot be read").lower().replace("_", " ")
        raise SetupError(
            f"{certificate} and {key} are no certificate and its key: {why}."
        ) from None
    command = ["openssl", "x509", "-in", certificate, "-noout", "-enddate"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(said.strip().partition("=")[2]), UTC)
    days = (end - datetime.now(UTC)).days
    if days < 0:
        raise SetupError(f"{certificate} expired on {end:%d %B %Y}: renew it, then try again.")
    if days < SOON:
        print(f"{certificate} expires on {end:%d %B %Y}: renew it.", flush=True)


def nginx_takes(root: Path, block: str) -> None:
    """Install a server block if nginx takes it, else leave the former one; raises `SetupError`."""
    path, main = root / "etc/nginx/conf.d/mlflow.conf", root / "etc/nginx/nginx.conf"
    former, known = read(path), path.exists()
    if not write(path, block) or not main.exists() or not shutil.which("nginx"):
        return
    command = ["nginx", "-t", "-q", "-p", f"{root}/", "-c", "etc/nginx/nginx.conf", "-e", "stderr"]
    done = subprocess.run(command, capture_output=True, text=True)
    if not done.returncode:
        return
    if known:
        write(path, former)
    else:
        path.unlink()
    # "nginx: [emerg] what is wrong in FILE:LINE", with a time or a process's number here or there
    wrong = re.findall(r"\[emerg\] (?:\d+#\d+: )?(.+)", done.stderr) or [done.stderr.strip()]
    raise SetupError(f"nginx does not take the server block: {wrong[0]}")
