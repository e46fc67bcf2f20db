"""The AWS account in which the tracking server stands: whose it is, and what its refusals mean."""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

_KEYS = "AWS does not know these keys: run `aws configure`, or correct AWS_PROFILE or AWS_*"
_LATE = "These keys are no longer good: sign in again, or set new AWS_* variables"
_NONE = "There are no AWS credentials: run `aws configure`, or set AWS_PROFILE"
_AWAY = "AWS does not answer: check the network, and AWS_ENDPOINT_URL if that is set"
_REGION = "No region is set: set AWS_DEFAULT_REGION, to eu-west-1 for example"

# By the code that AWS answers, or by the name of the exception that boto3 raises.
_ADVICE = {
    "NoCredentialsError": _NONE,
    "PartialCredentialsError": _NONE,
    "TokenRetrievalError": _LATE,
    "SSOTokenLoadError": _LATE,
    "UnauthorizedSSOTokenError": _LATE,
    "ExpiredToken": _LATE,
    "ExpiredTokenException": _LATE,
    "InvalidAccessKeyId": _KEYS,
    "InvalidClientTokenId": _KEYS,
    "UnrecognizedClientException": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "AuthFailure": "AWS does not take these keys in this region: correct them, or enable the region",
    "OptInRequired": "The account has not enabled this region: enable it, or set AWS_DEFAULT_REGION",
    "ProfileNotFound": "AWS_PROFILE names a profile that is not there: correct or unset it",
    "NoRegionError": _REGION,
    "InvalidRegionError": _REGION,
    "EndpointConnectionError": _AWAY,
    "ConnectTimeoutError": _AWAY,
    "ConnectionClosedError": _AWAY,
    "ReadTimeoutError": _AWAY,
    "ProxyConnectionError": "The proxy does not answer: correct HTTPS_PROXY, or set NO_PROXY",
    "SSLError": "What answers is not trusted: correct AWS_ENDPOINT_URL or AWS_CA_BUNDLE",
}
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")


class SetupError(RuntimeError):
    """What cannot be set up, or was refused. The message says it in a sentence."""


class Account:
    """Whom the AWS_* variables lead to. Raises `SetupError` or what boto3 raises, see `sentence`."""

    def __init__(self) -> None:
        self._session = boto3.Session()
        if not self._session.region_name:
            raise SetupError(f"{_REGION}.")
        self.region = self._session.region_name
        identity = self.client("sts").get_caller_identity()
        self.number, self.identity = identity["Account"], identity["Arn"]

    @cache  # noqa: B019 - one account a process
    def client(self, service: str) -> Any:
        """Return a client of one of AWS's services. One that is away costs seconds."""
        retries: Any = {"total_max_attempts": 3, "mode": "standard"}
        config = Config(connect_timeout=10, retries=retries)
        return self._session.client(service, config=config)  # type: ignore[call-overload]

    def __str__(self) -> str:
        return f"Account {self.number}, region {self.region}, as\n{self.identity}"


def code_of(error: Exception) -> str:
    """Return the code that AWS answered, or the name of an exception that came before any answer."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", type(error).__name__))


def sentence(error: BotoCoreError | ClientError) -> str:
    """Say what is wrong and what to do. What AWS says of a refusal names who may not do what."""
    code = code_of(error)
    said = getattr(error, "response", {}).get("Error", {}).get("Message") or str(error)
    if code in _DENIED:
        request = getattr(error, "operation_name", "this")
        return f"You may not do {request} ({said.rstrip('.')}): ask for the permission."
    return f"{_ADVICE[code]}." if code in _ADVICE else f"AWS says {code}: {said.rstrip('.')}."
