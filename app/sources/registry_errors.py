"""What the tracking server's refusals mean, and what to do about each."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.sources import SourceError

_AWAY = (
    "the tracking server, or the store behind it, does not answer: check the network, and "
    "MLFLOW_TRACKING_URI"
)
_NOT_IT = "what answers is no tracking server: correct MLFLOW_TRACKING_URI"
_STRANGER = (
    "the tracking server does not know this user: correct MLFLOW_TRACKING_USERNAME and "
    "MLFLOW_TRACKING_PASSWORD"
)
_REFUSED = "the tracking server refuses this user, or the name of its host: ask who runs it"
_UNKNOWN = "the registry has no such model, version or alias: register it, or correct the name"
_ELSEWHERE = "the server hands out no artifacts itself: start it with --artifacts-destination"

# By MLflow's name for what went wrong, by HTTP's number for it, or by the name of the exception.
_ADVICE = {
    "RESOURCE_DOES_NOT_EXIST": _UNKNOWN,
    "INVALID_PARAMETER_VALUE": _UNKNOWN,  # what the registry says of an alias that it does not have
    "UNAUTHENTICATED": _STRANGER,
    "CUSTOMER_UNAUTHORIZED": _STRANGER,
    "401": _STRANGER,
    "PERMISSION_DENIED": _REFUSED,
    "403": _REFUSED,
    "INTERNAL_ERROR": _AWAY,
    "ENDPOINT_NOT_FOUND": _NOT_IT,
    "BAD_REQUEST": _NOT_IT,
    "JSONDecodeError": _NOT_IT,
    "AttributeError": _NOT_IT,  # JSON, but not MLflow's
    "UnsupportedModelRegistryStoreURIException": _NOT_IT,
    "ValueError": "MLFLOW_TRACKING_URI is no address: set it as https://HOST",
    "NoCredentialsError": _ELSEWHERE,
    "ModuleNotFoundError": "this client speaks to a server only: set MLFLOW_TRACKING_URI to one",
}


def advice(error: Exception) -> str:
    """Say in part of a sentence what is wrong and what to do. It holds nothing that is secret."""
    if isinstance(error, OSError) and error.strerror:
        return f"this disk does not keep it ({error.strerror}): make room"
    if "failures occurred while downloading" in str(error):
        return "its file did not arrive: try again, and see the tracking server's log"
    if "request to endpoint" in str(error) and getattr(error, "error_code", "") == "INTERNAL_ERROR":
        return _NOT_IT  # something answers, though not what MLflow would
    status = getattr(getattr(error, "response", None), "status_code", None)
    codes = [type(error).__name__, getattr(error, "error_code", None), status]
    said = [str(code) for code in codes if code]
    known = (_ADVICE[code] for code in said if code in _ADVICE)
    return next(known, f"MLflow's client says {said[-1]}: see the tracking server's log")


@contextmanager
def in_a_sentence(what: str) -> Iterator[None]:
    """Turn whatever MLflow's client raises into a `SourceError` about `what`."""
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(f"{what} cannot be had: {advice(error)}.") from None
