"""What the template is asked for: from the command line, from what stands, and from the account."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from tracking_account import Account, SetupError, code_of
from tracking_password import name_of
from tracking_prices import MACHINES

ISSUER = "oidc-provider/token.actions.githubusercontent.com"
IDS = """gh api repos/OWNER/REPO --jq '"\\(.owner.login)@\\(.owner.id)/\\(.name)@\\(.id)"'"""


def add_arguments(parser: ArgumentParser, command: str) -> None:
    """Take from the command line what the commands for AWS read."""
    parser.add_argument("--stack", default="mlflow", metavar="NAME", help="mlflow if not given")
    if command in ("plan", "up"):
        _add_parameters(parser)
    if command in ("status", "down"):
        parser.add_argument("--bucket", metavar="NAME", help="its name, where `up` was given one")
    if command == "down":
        parser.add_argument("--no-backup", action="store_true", help="if the machine is gone")
    if command in ("up", "down", "rotate-password"):
        parser.add_argument("--yes", action="store_true", help="do not ask")


def _add_parameters(parser: ArgumentParser) -> None:
    """Take what `parameters` reads. What is not given stays as it stands."""
    parser.add_argument("--bucket", help="its name; a new one, or one of yours that stands")
    parser.add_argument("--instance-type", choices=MACHINES, help="t3.small if not given")
    parser.add_argument("--cidr", help="who may reach port 443; everybody if not given")
    parser.add_argument("--domain", help="the server's name; with --zone")
    parser.add_argument("--zone", help="the id of the domain's zone in Route 53")
    parser.add_argument(
        "--repository",
        metavar="OWNER@ID/REPO@ID",
        help=f"whose workflows may write models and data: {IDS.replace('%', '%%')}",
    )


def default_bucket(account: Account, stack: str) -> str:
    """Return the name of a bucket that nobody else in the world will have taken."""
    return f"{stack}-{account.number}-{account.region}"


def parameters(
    account: Account, args: Namespace, stands: Mapping[str, Any] | None
) -> dict[str, str]:
    """Return all of the template's parameters that are not its defaults. Raises `SetupError`."""
    if bool(args.domain) != bool(args.zone):
        raise SetupError("Give --domain and --zone together: the name, and the zone that it is in.")
    given = {
        "BucketName": args.bucket,
        "InstanceType": args.instance_type,
        "AllowedCidr": args.cidr,
        "DomainName": args.domain,
        "HostedZoneId": args.zone,
    }
    asked = {key: value for key, value in given.items() if value}
    former = {p["ParameterKey"]: p["ParameterValue"] for p in (stands or {}).get("Parameters", [])}
    if not stands:
        bucket = asked.setdefault("BucketName", default_bucket(account, args.stack))
        asked["BucketExists"] = "true" if bucket_stands(account, bucket) else "false"
        asked |= {"PasswordParameter": name_of(args.stack), "VpcId": default_network(account)}
    if args.repository:
        asked |= repository(args.repository)
        if not former.get("GitHubRepository"):  # else the stack may have made it
            asked["GitHubProviderArn"] = github_provider(account)
    return former | asked


def repository(said: str) -> dict[str, str]:
    """Return the parameters of OWNER@OWNER_ID/REPOSITORY@REPOSITORY_ID. Raises `SetupError`."""
    names = ("GitHubOwner", "GitHubOwnerId", "GitHubRepository", "GitHubRepositoryId")
    parts = [part for half in said.split("/") for part in half.split("@")]
    if len(parts) != 4 or not all(parts) or not (parts[1] + parts[3]).isdecimal():
        raise SetupError(f"{said} names no repository by its ids, as this does: {IDS}")
    return dict(zip(names, parts, strict=True))


def bucket_stands(account: Account, name: str) -> bool:
    """Tell whether the bucket is there. Raises `SetupError` where it is not fit, or not this account's."""
    s3 = account.client("s3")
    try:
        s3.head_bucket(Bucket=name, ExpectedBucketOwner=account.number)
        kept = s3.get_bucket_versioning(Bucket=name).get("Status") == "Enabled"
        shut = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    except ClientError as error:
        if code_of(error) in ("404", "NoSuchBucket"):
            return False
        if code_of(error) == "403":
            raise SetupError(f"The bucket {name} is somebody else's: give another name.") from None
        if code_of(error) != "NoSuchPublicAccessBlockConfiguration":
            raise
        shut = {"public access is not blocked": False}
    if not kept or not all(shut.values()):
        raise SetupError(
            f"The bucket {name} is not private with versions: set both, as milestone 2 does."
        )
    return True


def default_network(account: Account) -> str:
    """Return the id of the region's default VPC. Raises `SetupError`."""
    filters = [{"Name": "is-default", "Values": ["true"]}]
    found = account.client("ec2").describe_vpcs(Filters=filters)["Vpcs"]
    if not found:
        raise SetupError(
            f"{account.region} has no default network: run `aws ec2 create-default-vpc`."
        )
    return str(found[0]["VpcId"])


def github_provider(account: Account) -> str:
    """Return the ARN of the account's identity provider for GitHub; "" where it has none."""
    listed = account.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]
    arns = [str(each["Arn"]) for each in listed]
    return next((arn for arn in arns if arn.endswith(ISSUER)), "")
