"""Errors in Heroku's own form: a status, an id for programs, a sentence for people."""


class ApiError(Exception):
    """What a request is answered with when it cannot be done."""

    def __init__(self, status: int, error_id: str, message: str, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"id": error_id, "message": message, **more}


def bad_request(message: str) -> ApiError:
    """The request cannot be read at all."""
    return ApiError(400, "bad_request", message)


def unauthorized() -> ApiError:
    """No key, or not the right one."""
    return ApiError(401, "unauthorized", "Invalid credentials provided.")


def not_found(resource: str) -> ApiError:
    """There is no such app, build, release ..."""
    return ApiError(404, "not_found", f"Couldn't find that {resource}.", resource=resource)


def invalid(message: str) -> ApiError:
    """The request can be read and must not be done."""
    return ApiError(422, "invalid_params", message)
