"""A new password for the tracking server on AWS, which goes on running."""

from argparse import Namespace

from tracking_account import Account, SetupError
from tracking_consent import agree
from tracking_machine import APPLY, run
from tracking_password import renew
from tracking_stack import Stack
from tracking_up import say, tell


def rotate_password(account: Account, args: Namespace) -> None:
    """Keep a new password, and have the machine take it over. Runs and clients' uploads go on."""
    stack = Stack(account, args.stack)
    outputs = stack.outputs()
    if "InstanceId" not in outputs:
        raise SetupError(f"There is no stack {args.stack} in {account.region}: run `up`.")
    say("The server gets a new password. The one that its users have is then good no more.")
    say("It costs nothing.")
    agree(args, "Renew it?")
    version = renew(account, outputs["PasswordParameter"])
    say(f"{outputs['PasswordParameter']} is at version {version}. The machine takes it over:")
    try:
        run(account, outputs["InstanceId"], APPLY)
    except SetupError as error:
        raise SetupError(f"{error} Until it can, the old password is good: try again.") from None
    tell(account, stack)
