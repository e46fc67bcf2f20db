"""The tracking server on AWS, made and changed."""

from argparse import Namespace
from collections.abc import Mapping
from functools import partial

from botocore.exceptions import ClientError

from tracking_account import Account, SetupError, code_of
from tracking_consent import agree
from tracking_down import remove
from tracking_leftovers import certificate_of, fetch_certificate
from tracking_machine import APPLY, run, send_scripts
from tracking_parameters import parameters
from tracking_password import generate, usage
from tracking_plan import described
from tracking_prices import bill
from tracking_progress import Progress
from tracking_stack import BROKEN, Stack

say = partial(print, flush=True)


def up(account: Account, args: Namespace) -> None:
    """Make the server, or bring the one that stands to what the files here say."""
    stack = Stack(account, args.stack)
    stands = stack.look()
    say(f"Stack {args.stack}: {stands['StackStatus'] if stands else 'not there yet'}")
    if stands and stands["StackStatus"] in BROKEN:
        agree(args, "What is left of it has to go first. Remove it?")
        remove(stack)
        stands = None
    wanted = parameters(account, args, stands)
    if stands and stands["StackStatus"].endswith("_IN_PROGRESS"):
        _follow(account, Progress(stack), wanted["BucketName"])
    elif stands:
        _update(account, args, stack, wanted)
    else:
        say(described(account, wanted))
        agree(args, "Make it?")
        made = generate(account, wanted["PasswordParameter"])
        say(f"The password is {'made' if made else 'there already'}.")
        progress = Progress(stack)
        stack.create(wanted)
        _follow(account, progress, wanted["BucketName"])
    tell(account, stack)


def tell(account: Account, stack: Stack) -> None:
    """Say where the server is, and how a shell and a repository get to it."""
    outputs = stack.outputs()
    certificate = ""
    if "CertificateAuthority" in outputs:
        path = certificate_of(stack.name)
        fetch_certificate(account, outputs["CertificateAuthority"], path)
        certificate = str(path.relative_to(path.parents[1]))
        say(f"Who the server is, to clients: {certificate}. It is public: commit it.")
    if "GitHubRoleArn" in outputs:
        say(f"The role of GitHub's workflows: {outputs['GitHubRoleArn']}")
    say(f"The server stands: {outputs['TrackingUri']}", "To use it, here and on GitHub:", sep="\n")
    say(usage(outputs["TrackingUri"], outputs["PasswordParameter"], certificate))


def _update(account: Account, args: Namespace, stack: Stack, wanted: Mapping[str, str]) -> None:
    changes = stack.changes(wanted)
    if changes:
        say(*(f"  {change}" for change in changes), sep="\n")
        say(bill(wanted["InstanceType"], account.region))
        try:
            agree(args, "Change it?")
        except SetupError:
            stack.forget_changes()
            raise
        progress = Progress(stack)
        stack.change()
        progress.follow(say)
    if send_scripts(account, wanted["BucketName"]):
        say("The scripts have changed. The machine takes them over:")
        run(account, stack.outputs()["InstanceId"], APPLY)
    elif not changes:
        say("Nothing has changed: template, parameters and scripts are as they stand.")


def _follow(account: Account, progress: Progress, bucket: str) -> None:
    """Follow a stack that is being made, and bring the scripts as soon as its bucket is there."""
    done = False

    def bring() -> None:
        nonlocal done
        try:
            if not done and send_scripts(account, bucket):
                say("The scripts are in the bucket, from where the machine fetches them.")
            done = True
        except ClientError as error:
            if code_of(error) != "NoSuchBucket":  # which comes
                raise

    progress.follow(say, bring)
