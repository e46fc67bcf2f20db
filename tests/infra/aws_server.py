"""AWS on a free port of this machine, for programs of their own; it plays the machine of a stack too."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import boto3
import requests
from moto.cloudformation.models import ChangeSet, Event, Stack
from moto.server import ThreadedMotoServer
from moto.ssm.models import Command
from waiting import until

from local_s3 import REGION

ACCOUNT = "123456789012"
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nof the machine\n-----END CERTIFICATE-----\n"


class AwsServer:
    """Where it answers, and what happens there besides what a program asks for."""

    def __init__(self, server: ThreadedMotoServer) -> None:
        self._session = boto3.Session()
        host, port = server.get_host_and_port()
        self.url = f"http://{host}:{port}"

    def environment(self, key: str = "testing", secret: str = "testing") -> dict[str, str]:  # noqa: S107
        """The variables that lead a program here."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, region: str = REGION) -> Any:
        return self._session.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def password(self, name: str) -> str:
        found = self.client("ssm").get_parameter(Name=name, WithDecryption=True)
        return str(found["Parameter"]["Value"])

    @contextmanager
    def enforcing(self) -> Iterator[None]:
        """Look at every request's signature, and at the policies of the user that it is of."""
        try:
            self._unchecked("0")
            yield
        finally:
            self._unchecked("inf")

    def _unchecked(self, requests_first: str) -> None:
        url = f"{self.url}/moto-api/reset-auth"
        requests.post(url, data=requests_first, timeout=10).raise_for_status()


@contextmanager
def aws_server() -> Iterator[AwsServer]:
    """Serve until the block ends."""

    def apply(change: ChangeSet) -> None:
        # Else moto changes every resource of every parameter that is given, those that are not there too.
        change.stack.resource_map.update(change.template_dict)

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        with patch.object(ChangeSet, "apply", apply):
            yield AwsServer(server)
    finally:
        server.stop()


@contextmanager
def machine_comes_up(aws: AwsServer, bucket: str) -> Iterator[None]:
    """Complete a stack when its machine has fetched the scripts, as the machine itself would."""
    machines: list[threading.Thread] = []
    whole = Stack.mark_creation_complete

    def boot(stack: Stack) -> None:
        s3 = aws.client("s3")
        until(lambda: s3.list_objects_v2(Bucket=bucket, Prefix="setup/")["KeyCount"], "no scripts")
        s3.put_object(Bucket=bucket, Key="setup/ca.pem", Body=CERTIFICATE)
        _happens(stack, "ServerReady", "AWS::CloudFormation::WaitCondition", "CREATE_COMPLETE")
        whole(stack)

    def begin(stack: Stack) -> None:
        _happens(stack, "Server", "AWS::EC2::Instance", "CREATE_COMPLETE")
        machines.append(threading.Thread(target=boot, args=(stack,)))
        machines[-1].start()

    with patch.object(Stack, "mark_creation_complete", begin):
        yield
    for machine in machines:
        machine.join()


@contextmanager
def machine_refuses(why: str) -> Iterator[None]:
    """Fail the commands that machines are sent."""
    whole = Command.invocation_response

    def fail(command: Command, *asked: str) -> dict[str, Any]:
        return whole(command, *asked) | {"Status": "Failed", "StandardErrorContent": why}

    with patch.object(Command, "invocation_response", fail):
        yield


@contextmanager
def machine_notes() -> Iterator[list[list[str]]]:
    """Note the commands that machines are sent, for when a machine is gone."""
    noted: list[list[str]] = []
    whole = Command.__init__

    def note(command: Command, *given: Any, **named: Any) -> None:
        whole(command, *given, **named)
        noted.append(command.parameters["commands"])

    with patch.object(Command, "__init__", note):
        yield noted


@contextmanager
def machine_would_boot_anew() -> Iterator[None]:
    """Say of every change of a stack that it replaces the machine."""
    whole = ChangeSet.diff

    def diff(change: ChangeSet) -> list[Any]:
        changes = whole(change)
        for each in changes:
            each.logical_resource_id = "Server"
            each.replacement = "True"
        return changes

    with patch.object(ChangeSet, "diff", diff):
        yield


@contextmanager
def stack_fails(resource: str, kind: str, reason: str, status: str) -> Iterator[None]:
    """Fail the stacks that are made at a resource, and roll them back, or leave them as `status` says."""

    def fail(stack: Stack) -> None:
        _happens(stack, "Address", "AWS::EC2::EIP", "CREATE_IN_PROGRESS")
        # Of one moment, so in any order.
        _happens(stack, "Address", "AWS::EC2::EIP", "CREATE_FAILED", "Resource creation cancelled")
        _happens(stack, resource, kind, "CREATE_FAILED", reason)
        _happens(stack, "GitHubRole", "AWS::IAM::Role", "CREATE_FAILED", "It failed later.")
        for each in ("ROLLBACK_IN_PROGRESS", status):
            stack._add_stack_event(each)
        stack.status = status

    with patch.object(Stack, "create_resources", fail):
        yield


def _happens(stack: Stack, resource: str, kind: str, status: str, reason: str = "") -> None:
    event = Event(
        stack_id=stack.stack_id,
        stack_name=stack.name,
        logical_resource_id=resource,
        physical_resource_id=f"{resource}-1",
        resource_type=kind,
        resource_status=status,
        resource_status_reason=reason,
        resource_properties=None,
    )
    stack.events.append(event)
