"""Errors that a person can act on."""


class TutorialError(RuntimeError):
    """Something that a person can mend. The message is one sentence: what is wrong and what to do."""

    def _render_traceback_(self) -> list[str]:
        """Show the sentence alone in a notebook: IPython calls this in place of a traceback."""
        return [str(self)]


class AlreadyToldError(TutorialError):
    """A failure of which a process of ours has told the person in a sentence."""
