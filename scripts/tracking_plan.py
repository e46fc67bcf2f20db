"""What `up` would make on AWS, in a person's words, with what it costs."""

from argparse import Namespace
from collections.abc import Mapping

from tracking_account import Account
from tracking_parameters import parameters
from tracking_prices import DISK, bill
from tracking_stack import Stack


def plan(account: Account, args: Namespace) -> None:
    """Say what `up` would make, and what it costs. Nothing is changed."""
    stands = Stack(account, args.stack).look()
    print(f"Stack {args.stack}: {stands['StackStatus'] if stands else 'not there yet'}")
    print(described(account, parameters(account, args, stands)))


def described(account: Account, wanted: Mapping[str, str]) -> str:
    """Return lines of 79 columns, or a little more where a name is long."""
    bucket = "stands, used as it is" if wanted.get("BucketExists") == "true" else "new"
    cidr = wanted.get("AllowedCidr", "0.0.0.0/0")
    domain = wanted.get("DomainName", "")
    machine = wanted.get("InstanceType", "t3.small")
    owner, repository = wanted.get("GitHubOwner"), wanted.get("GitHubRepository")
    return "\n".join(
        [
            f"  bucket    {wanted['BucketName']}",
            f"            {bucket}; private, with versions; stays when the rest goes",
            f"  machine   {machine}, Ubuntu LTS, a disk of {DISK} GB, encrypted",
            f"  address   a fixed one; port 443 is open to {cidr}, no other to anybody",
            f"  name      {domain or 'none, so a certificate of its own'}",
            f"  password  generated, kept in Parameter Store as {wanted['PasswordParameter']}",
            f"  GitHub    {f'{owner}/{repository} may write models and data' if repository else 'no repository'}",
            bill(machine, account.region),
        ]
    )
