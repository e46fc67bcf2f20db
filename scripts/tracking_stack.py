"""The stack of infra/mlflow.yaml: what stands of it, and how it is made, changed and removed."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tracking_account import Account, SetupError, code_of

TEMPLATE = Path(__file__).parents[1] / "infra" / "mlflow.yaml"
PAUSE = 2.0  # seconds between two looks
# What cannot be changed any more, only removed.
BROKEN = (
    *("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS"),
    *("DELETE_FAILED", "DELETE_IN_PROGRESS"),
)
UNCHANGED = ("didn't contain changes", "No updates are to be performed")


class Stack:
    """A stack by its name. Whatever is asked of it may raise `SetupError`, or what boto3 raises."""

    def __init__(self, account: Account, name: str) -> None:
        self.name, self.api = name, account.client("cloudformation")
        self._change = ""

    def look(self) -> dict[str, Any] | None:
        """Return what AWS tells of it, as DescribeStacks does; None where it does not stand."""
        try:
            found = self.api.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if code_of(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise
        return None if found["StackStatus"] == "DELETE_COMPLETE" else dict(found)

    def outputs(self) -> dict[str, str]:
        """Return what the template calls outputs; nothing where it does not stand."""
        said = (self.look() or {}).get("Outputs", [])
        return {each["OutputKey"]: each["OutputValue"] for each in said}

    def create(self, parameters: Mapping[str, str]) -> None:
        """Begin to make it. That ends later: see `tracking_progress`."""
        self.api.create_stack(**self._request(parameters))

    def changes(self, parameters: Mapping[str, str]) -> list[str]:
        """Return what the template and these parameters would change, for `change` to begin."""
        request = self._request(parameters) | {"ChangeSetName": f"change-{time.time_ns()}"}
        try:
            self._change = self.api.create_change_set(**request, ChangeSetType="UPDATE")["Id"]
        except ClientError as error:
            if any(word in str(error) for word in UNCHANGED):
                return []
            raise
        while True:
            found = self.api.describe_change_set(ChangeSetName=self._change)
            if found["Status"] in ("CREATE_COMPLETE", "FAILED"):
                break
            time.sleep(PAUSE)
        resources = [each["ResourceChange"] for each in found.get("Changes", [])]
        if found["Status"] == "CREATE_COMPLETE" and not any(map(_boots_anew, resources)):
            named = [f"{each['Action']} {each['LogicalResourceId']}" for each in resources]
            return named or ["Modify parameters or outputs"]
        self.forget_changes()
        if found["Status"] == "CREATE_COMPLETE":
            raise SetupError(
                "That changes what the machine does at its first boot: run `down`, which keeps the runs "
                "in the bucket, and then `up` with it, which brings them back."
            )
        if any(word in found.get("StatusReason", "") for word in UNCHANGED):
            return []
        raise SetupError(f"AWS does not take the template: {found.get('StatusReason')}")

    def forget_changes(self) -> None:
        """Take back what `changes` prepared."""
        self.api.delete_change_set(ChangeSetName=self._change)

    def change(self) -> None:
        """Begin what `changes` prepared."""
        self.api.execute_change_set(ChangeSetName=self._change)

    def delete(self) -> None:
        """Begin to remove it, all but the bucket."""
        self.api.delete_stack(StackName=self.name)

    def _request(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        return {
            "StackName": self.name,
            "TemplateBody": TEMPLATE.read_text(encoding="utf-8"),
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            "Capabilities": ["CAPABILITY_IAM"],
        }


def _boots_anew(change: Mapping[str, Any]) -> bool:
    """Tell whether a change replaces the machine, or what it did when it was new."""
    names = [each["Target"].get("Name") for each in change.get("Details", [])]
    anew = change.get("Replacement") == "True" or "UserData" in names
    return bool(change["LogicalResourceId"] == "Server" and change["Action"] == "Modify" and anew)
