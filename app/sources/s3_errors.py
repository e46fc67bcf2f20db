"""What S3's refusals mean, and what to do about each."""

_AWAY = "S3 does not answer: check the network, and AWS_ENDPOINT_URL if that is set"
_CUT = "the file was cut short on the way: try again"
_ENDPOINT = "what answers is not S3: correct AWS_ENDPOINT_URL"
_HALF = "half of the credentials is missing: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_REGION = "the bucket is in another region: set AWS_DEFAULT_REGION to the bucket's"
_SESSION = "the session's token is no longer good: set new AWS_* credentials"
_VERSION = "there is no such version: take one that is listed"

# By the code that S3 answers, or by the name of the exception that boto3 raises.
_ADVICE = {
    "NoSuchBucket": "there is no such bucket: make it, or correct its name",
    "NoSuchKey": "the bucket has no such file: upload it, or correct its name",
    "InvalidAccessKeyId": "S3 does not know AWS_ACCESS_KEY_ID: set the key of a user who is there",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY is not the secret of AWS_ACCESS_KEY_ID: set it again",
    "RequestTimeTooSkewed": "this machine's clock is wrong by more than 15 minutes: set it",
    "ExpiredToken": _SESSION,
    "InvalidToken": _SESSION,
    "TokenRefreshRequired": _SESSION,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "NoSuchVersion": _VERSION,
    "InvalidArgument": _VERSION,  # an id of another form than S3's own
    "BadDigest": "the file changed while it was uploaded, or was damaged on the way: try again",
    "EntityTooLarge": "the file is larger than S3 takes at once: make it smaller",
    "SlowDown": "S3 has too much to do: try again in a minute",
    "NoCredentialsError": "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "PartialCredentialsError": _HALF,
    "ProfileNotFound": "AWS_PROFILE names a profile that is not there: correct or unset it",
    "EndpointConnectionError": _AWAY,
    "ConnectTimeoutError": _AWAY,
    "ReadTimeoutError": _AWAY,
    "ConnectionClosedError": _AWAY,
    "ProxyConnectionError": "the proxy does not answer: correct HTTPS_PROXY, or set NO_PROXY",
    "SSLError": "the server's certificate is not trusted: correct AWS_ENDPOINT_URL or AWS_CA_BUNDLE",
    "ValueError": "AWS_ENDPOINT_URL is not an address: write it as https://HOST:PORT",
    "ResponseParserError": _ENDPOINT,
    "KeyError": _ENDPOINT,  # an answer without what every answer of S3 has
    "IncompleteReadError": _CUT,
    "ResponseStreamingError": _CUT,
    "FlexibleChecksumError": "the file was damaged on the way (its checksum differs): try again",
}

# What the requests need that are not named like their permission.
_PERMISSIONS = {
    "ListObjectVersions": "s3:ListBucketVersions",
    "CopyObject": "s3:GetObjectVersion and s3:PutObject",
}


def code_of(error: Exception) -> str:
    """Return the code that S3 answered, or the name of an exception that came before any answer."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", type(error).__name__))


def advice(error: Exception) -> str:
    """Say in part of a sentence what is wrong and what to do. It holds nothing that is secret."""
    code = code_of(error)
    if code.isdigit():  # boto3 found a status and no code: it was a proxy, or some other server
        return _AWAY if code >= "500" else _ENDPOINT
    if code == "AccessDenied":
        request = getattr(error, "operation_name", "")
        permission = _PERMISSIONS.get(request, f"s3:{request}")
        # S3 says the same of what is not there to a user who may not list the bucket.
        return (
            f"this user lacks the permission {permission} on it, or it is not there, or it is somebody "
            "else's: allow it, or correct the name"
        )
    return _ADVICE.get(code, f"S3 says {code}: look that up among Amazon's S3 error codes")
