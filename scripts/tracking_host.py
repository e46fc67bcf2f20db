"""Make a machine the tracking server: nginx, which asks for a password, before MLflow.

All of it is below one folder, `--root`. Where that is /, packages and services are seen to as well.
"""

import grp
import ipaddress
import os
import re
import shutil
import sys
from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path

import boto3

from tracking_account import SetupError
from tracking_files import environment, filled, hashed, read, write
from tracking_nginx import certificate_is_good, nginx_takes
from tracking_store import STORE, restored
from tracking_system import install, start

USER = "mlflow"
SHORTEST = 20  # characters of a password: nothing keeps anybody from trying many
# What an option may look like: it goes into files that nginx and systemd read.
FORMS = {
    "bucket": (r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "the name of a bucket"),
    "server_name": (r"[A-Za-z0-9][A-Za-z0-9.-]*", "a name or an address"),
    "listen": (r"[0-9.]+:[0-9]{1,5}", "of the form ADDRESS:PORT"),
    "certificate": (r"/[^\"$\\\n]+", "a file's full path without odd signs"),
    "key": (r"/[^\"$\\\n]+", "a file's full path without odd signs"),
}
say = partial(print, flush=True)


def add_arguments(parser: ArgumentParser) -> None:
    """Take from the command line what `host` reads."""
    parser.add_argument("--bucket", required=True, help="where artifacts go, below mlflow/")
    parser.add_argument("--server-name", required=True, help="the name or address clients use")
    parser.add_argument("--listen", default="0.0.0.0:443", help="nginx's ADDRESS:PORT; %(default)s")
    parser.add_argument("--port", type=int, default=5000, help="MLflow's, here alone; %(default)s")
    parser.add_argument("--certificate", help="its file; without, on a loopback address alone")
    parser.add_argument("--key", help="the certificate's key, a file")
    parser.add_argument(
        "--password-parameter", metavar="NAME", help="of Parameter Store; else standard input"
    )
    parser.add_argument("--root", type=Path, default=Path("/"), help="all files go below it")
    parser.add_argument("--restore", action="store_true", help="a backup, where there is no store")


def host(args: Namespace) -> None:
    """Bring the machine to what the command line and infra/ say. Harmless to repeat; raises `SetupError`."""
    _check(args)
    password = _password(args)
    root, tls = args.root, "tls" if args.certificate else "plain"
    changed = root == Path("/") and install()
    port = args.listen.rpartition(":")[2]
    named = args.server_name if port == "443" else f"{args.server_name}:{port}"
    values = {
        "BUCKET": args.bucket,
        "PORT": str(args.port),
        "HOSTS": named,
        "ORIGIN": f"http{'s' if args.certificate else ''}://{named}",
        "LISTEN": args.listen,
        "SERVER_NAME": args.server_name,
        "CERTIFICATE": args.certificate or "",
        "KEY": args.key or "",
    }
    unit = filled("mlflow.service", values)
    nginx_takes(root, filled("nginx.conf.template", values, tls))
    users = root / "etc/nginx/mlflow.htpasswd"
    readers = grp.getgrnam("www-data").gr_gid if root == Path("/") else -1
    write(users, hashed(USER, password, read(users)), 0o640, readers)
    changed |= write(root / "etc/mlflow/environment", environment(os.environ))
    changed |= write(root / "etc/systemd/system/mlflow.service", unit)
    store = root / STORE
    store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if root == Path("/"):
        shutil.chown(store.parent, USER, USER)
    if args.restore and not store.exists():
        restored(args.bucket, store)
    if root == Path("/"):
        start(args.listen, args.port, bool(args.certificate), changed)


def _check(args: Namespace) -> None:
    for name, (form, words) in FORMS.items():
        given = getattr(args, name)
        if given is not None and not re.fullmatch(form, given):
            raise SetupError(f"--{name.replace('_', '-')} {given} is not {words}.")
    address, _, port = args.listen.partition(":")
    try:
        loopback = ipaddress.ip_address(address).is_loopback
        if not 0 < int(port) < 65536 or not 0 < args.port < 65536:
            raise ValueError
    except ValueError:
        raise SetupError(f"--listen {args.listen} or --port {args.port} is none.") from None
    if int(port) == args.port:
        raise SetupError(f"nginx and MLflow cannot both have port {port}: give another --port.")
    if bool(args.certificate) != bool(args.key):
        raise SetupError("Give --certificate and --key together.")
    if args.certificate:
        certificate_is_good(args.certificate, args.key)
    elif not loopback:
        raise SetupError(
            f"Without a certificate, passwords would cross the network at {args.listen} "
            "for all to read: give --certificate and --key, or listen at 127.0.0.1."
        )
    if args.root == Path("/") and os.geteuid():
        raise SetupError("This sets up the whole machine: run it as root, or give --root FOLDER.")


def _password(args: Namespace) -> str:
    """Return the password. It is in no argument: those are for all to see in the list of processes."""
    if args.password_parameter:
        kept = boto3.client("ssm").get_parameter(Name=args.password_parameter, WithDecryption=True)
        password = str(kept["Parameter"]["Value"])
    else:
        password = sys.stdin.readline().rstrip("\n")
    if len(password) < SHORTEST:
        raise SetupError(f"The password has {len(password)} characters: give {SHORTEST} or more.")
    return password
