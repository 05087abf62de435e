"""Classifies HTTP statuses of a call that the mapping of a target does not mention.

- transient: the same call may be answered later
- configuration: only a person can repair it (credentials, rights, address)
- content: the content is refused, now and later
- unknown: none of these; it counts as content after a few tries
"""

from typing import Literal

StatusKind = Literal["transient", "configuration", "content", "unknown"]
_TRANSIENT = {408, 421, 423, 425, 429}
_CONFIGURATION = {401, 402, 403, 404, 405, 406, 407, 410, 426, 451, 495, 496}
_CONTENT = {400, 409, 411, 412, 413, 414, 415, 416, 422, 424, 428, 431}


def kind_of_status(status: int) -> StatusKind:
    """The kind of a status that is not one of success."""
    if status >= 500 or status in _TRANSIENT:
        return "transient"
    if status in _CONFIGURATION or 300 <= status < 400:  # redirects are not followed: the address is another one
        return "configuration"
    return "content" if status in _CONTENT else "unknown"
