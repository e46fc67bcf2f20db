"""Is a message what a person can read at a glance: one sentence, on one line, of bearable length?"""

import re


def is_one_sentence(message: str) -> bool:
    """Tell whether a message is a sentence, and only one."""
    return (
        0 < len(message) <= 400
        and message.isprintable()
        and message.endswith(".")
        and not re.search(r"[.!?] +[A-Z]", message)
    )
