"""What the local GitHub refuses, with the status that GitHub answers."""

from tutorial.errors import TutorialError


class RefusalError(TutorialError):
    """A request that is not done. The message is GitHub's where a program may look for it."""

    def __init__(self, status: int, message: str, *errors: dict[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.errors = errors

    def __str__(self) -> str:
        """Return the message, and what is wrong with which field."""
        return " ".join([super().__str__(), *(e["message"] for e in self.errors if "message" in e)])


def not_found() -> RefusalError:
    """There is no such thing, or it is not to be seen."""
    return RefusalError(404, "Not Found")


def invalid(resource: str, field: str, message: str) -> RefusalError:
    """A field cannot be as it is."""
    error = {"resource": resource, "field": field, "code": "custom", "message": message}
    return RefusalError(422, "Validation Failed", error)
