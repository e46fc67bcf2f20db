"""The template of the tracking server: parsed, and rehearsed on an AWS that is in this process."""

import ast
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
import yaml
from moto import mock_aws

from local_s3 import REGION
from tutorial.home import PROJECT

PATH = PROJECT / "infra" / "mlflow.yaml"
BUCKET = "reviews-of-a-team"
PASSWORD = "/mlflow/password"  # noqa: S105 - the name of it
PARAMETERS = {"BucketName": BUCKET, "PasswordParameter": PASSWORD}
REPOSITORY = {
    "GitHubOwner": "reader",
    "GitHubOwnerId": "1001",
    "GitHubRepository": "reviews",
    "GitHubRepositoryId": "2002",
}
DOMAIN = {"DomainName": "mlflow.example.org", "HostedZoneId": "Z0123456789"}


class _Loader(yaml.SafeLoader):
    """Reads `!Sub x` as {"Sub": x}."""


def _intrinsic(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)  # type: ignore[no-untyped-call]


@cache
def parsed() -> dict[str, Any]:
    """The template as it is written."""
    document: dict[str, Any] = yaml.load(PATH.read_text(encoding="utf-8"), _Loader)  # noqa: S506
    return document


def properties(resource: str) -> dict[str, Any]:
    """What a resource of the template is to be."""
    found: dict[str, Any] = parsed()["Resources"][resource]["Properties"]
    return found


class Rehearsal:
    """The template on an AWS that forgets everything when the block ends."""

    def __init__(self) -> None:
        self._session = boto3.Session()
        self.api = self.client("cloudformation")

    def client(self, service: str) -> Any:
        return self._session.client(service, region_name=REGION)  # type: ignore[call-overload]

    def create(self, **parameters: str) -> dict[str, str]:
        """Make a stack; return its outputs."""
        self.api.create_stack(**self.request(parameters))
        return self.outputs()

    def request(self, parameters: dict[str, str]) -> dict[str, Any]:
        network = self.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
        values = PARAMETERS | {"VpcId": network} | parameters
        return {
            "StackName": "mlflow",
            "TemplateBody": PATH.read_text(encoding="utf-8"),
            "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()],
            "Capabilities": ["CAPABILITY_IAM"],
        }

    def outputs(self) -> dict[str, str]:
        stack = self.api.describe_stacks(StackName="mlflow")["Stacks"][0]
        return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}

    def resources(self) -> dict[str, str]:
        """The names that AWS gave, by the template's."""
        listed = self.api.list_stack_resources(StackName="mlflow")["StackResourceSummaries"]
        return {e["LogicalResourceId"]: e["PhysicalResourceId"] for e in listed}

    def policies(self, resource: str) -> dict[str, dict[str, Any]]:
        """The policies of a role, with every name filled in."""
        iam, role = self.client("iam"), self.resources()[resource]
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        found = {n: iam.get_role_policy(RoleName=role, PolicyName=n) for n in names}
        return {name: _document(each["PolicyDocument"]) for name, each in found.items()}

    def trust(self, resource: str) -> dict[str, Any]:
        role = self.client("iam").get_role(RoleName=self.resources()[resource])["Role"]
        return _document(role["AssumeRolePolicyDocument"])


def _document(policy: Any) -> dict[str, Any]:
    if isinstance(policy, str):  # of a template's, moto keeps what Python prints of it
        policy = ast.literal_eval(unquote(policy))
    found: dict[str, Any] = policy
    return found


@contextmanager
def rehearsal(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Rehearsal]:
    """Give an AWS of this process alone, which no setting of the machine leads elsewhere."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(folder / "nothing"))
    with mock_aws(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Tried to parse")  # it says so of each that it leaves out
        yield Rehearsal()
