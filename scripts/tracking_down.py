"""The tracking server on AWS, as it stands and as it goes: what is left, and what that costs."""

from argparse import Namespace
from functools import partial

from tracking_account import Account, SetupError
from tracking_consent import agree
from tracking_leftovers import answers, billed, certificate_of, fetch_certificate, removal, stored
from tracking_machine import BACKUP, run
from tracking_parameters import default_bucket
from tracking_password import forget, name_of
from tracking_progress import Progress
from tracking_stack import Stack

say = partial(print, flush=True)


def status(account: Account, args: Namespace) -> None:
    """Say what stands and whether it answers; after `down`, what is left."""
    stack = Stack(account, args.stack)
    stands, outputs = stack.look(), stack.outputs()
    say(f"Stack {args.stack}: {stands['StackStatus'] if stands else 'not there'}")
    certificate = certificate_of(args.stack)
    if "TrackingUri" in outputs:
        if "CertificateAuthority" in outputs:
            fetch_certificate(account, outputs["CertificateAuthority"], certificate)
        say(f"  {outputs['TrackingUri']} {answers(outputs['TrackingUri'], certificate)}")
    _left(account, args, outputs.get("BucketName", ""), stands is not None)


def down(account: Account, args: Namespace) -> None:
    """Remove the server, after a last backup of its runs. The bucket stays."""
    stack = Stack(account, args.stack)
    stands, outputs = stack.look(), stack.outputs()
    if stands:
        say(
            f"Stack {args.stack}: {stands['StackStatus']}",
            "Machine, address, roles and password go. The bucket stays, with artifacts,",
            "models, data, and the backup of the runs that is made first.",
            sep="\n",
        )
        agree(args, "Remove it?")
        if "InstanceId" in outputs and not args.no_backup:
            _backup(account, outputs["InstanceId"])
        remove(stack)
    forget(account, outputs.get("PasswordParameter", name_of(args.stack)))
    _left(account, args, outputs.get("BucketName", ""), False)


def remove(stack: Stack) -> None:
    """Remove a stack, telling each step. Raises `SetupError`."""
    progress = Progress(stack)
    stack.delete()
    progress.follow(say)


def _backup(account: Account, instance: str) -> None:
    try:
        run(account, instance, BACKUP)
    except SetupError as error:
        raise SetupError(
            f"{error} The runs are not backed up, so nothing was removed; --no-backup removes it "
            "with the runs since the last backup."
        ) from None


def _left(account: Account, args: Namespace, bucket: str, stands: bool) -> None:
    """Say what is there besides the stack, and how the bucket can be removed when all else is."""
    bucket = bucket or args.bucket or default_bucket(account, args.stack)
    left, holds = billed(account, args.stack), stored(account, bucket)
    for each in left + ([f"bucket {bucket}: {holds}"] if holds else []):
        say(f"  {each}")
    if not stands and not left and holds:
        say("Nothing else is left. The bucket goes, with all that it holds, by")
        say(removal(bucket))
    elif not stands and not left:
        say(f"Nothing is left of {args.stack} in {account.region}, and nothing costs.")
