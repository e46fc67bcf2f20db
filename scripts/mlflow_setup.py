"""Set up the MLflow tracking server on AWS: `plan` says what `up` would make, `down` removes it.

The AWS_* variables, or `aws configure`, say in whose account and in which region.
"""

import argparse
import sys

from botocore.exceptions import BotoCoreError, ClientError

from tracking_account import Account, SetupError, sentence
from tracking_down import down, status
from tracking_host import add_arguments as add_host_arguments
from tracking_host import host
from tracking_parameters import add_arguments
from tracking_plan import plan
from tracking_rotation import rotate_password
from tracking_store import add_arguments as add_store_arguments
from tracking_store import backup, restore
from tracking_up import up

ON_AWS = {
    "plan": (plan, "what `up` would make, and what it costs a month"),
    "up": (up, "make the server, or change the one that stands"),
    "status": (status, "what stands, and whether it answers; what is left"),
    "down": (down, "back up the runs and remove all but the bucket"),
    "rotate-password": (rotate_password, "a new password; the server goes on running"),
}
# On the machine itself, or on yours. The AWS_* variables lead to the bucket.
ON_THE_HOST = {
    "host": (host, add_host_arguments, "make this machine the server; harmless to repeat"),
    "backup": (backup, add_store_arguments, "copy the store of runs to the bucket"),
    "restore": (restore, add_store_arguments, "bring that copy back"),
}


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (command, what) in ON_AWS.items():
        sub = commands.add_parser(name, help=what, description=f"{what.capitalize()}.")
        add_arguments(sub, name)
        sub.set_defaults(run=command)
    for name, (task, add, what) in ON_THE_HOST.items():
        sub = commands.add_parser(name, help=what, description=f"{what.capitalize()}.")
        add(sub)
        sub.set_defaults(run=task)
    return top


def main() -> int:
    """Do what the command line says. Exit status 1, and a sentence on standard error, if it fails."""
    args = parser().parse_args()
    try:
        if args.command in ON_THE_HOST:
            args.run(args)
            return 0
        account = Account()
        print(account, flush=True)
        args.run(account, args)
        return 0
    except SetupError as error:
        message = str(error)
    except (BotoCoreError, ClientError) as error:
        message = sentence(error)
    except OSError as error:
        message = f"{error.filename} cannot be used ({error.strerror})."
    except KeyboardInterrupt:
        message = "Interrupted: what AWS has begun goes on there; `status` tells, `up` follows it."
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
