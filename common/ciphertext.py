"""The text form of personal data in records: ciphertext that only the key of its person opens, or the person's token.

    person:TOKEN                  the person: always the same for a person of a system, and no name
    sealed:person:TOKEN:BASE64    a value encrypted with that person's key; the same text for the same value each time
    erased:person:TOKEN           a value that arrived after the person's key was destroyed

A process that only passes a value on needs none of this. `privacy` opens it.
"""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping

from common.json_types import Json

_ONE = r"person:[a-z2-7]{26}"
_VALUE = re.compile(rf"sealed:({_ONE}):([A-Za-z0-9_-]+)|erased:({_ONE})|({_ONE})")
_WHOLE = re.compile(_ONE)
_SHORTEST_BYTES = 17  # the tag of AES-SIV, and the byte before every content

Open = Callable[[str, bytes | None], str]


def sealed_text(token: str, content: bytes) -> str:
    """A value of the token's person, sealed."""
    return f"sealed:{token}:{urlsafe_b64encode(content).decode().rstrip('=')}"


def erased_text(token: str) -> str:
    """The text for any value of a person whose key was destroyed."""
    return f"erased:{token}"


def is_token(text: str) -> bool:
    """Whether the text is exactly a token."""
    return _WHOLE.fullmatch(text) is not None


def encrypted_value(text: str) -> tuple[str, bytes | None] | None:
    """(token, encrypted bytes, None of an erased value) of a text that is wholly one well-formed value, else None."""
    found = _VALUE.fullmatch(text)
    if found is None or found[4] is not None:
        return None
    if found[3] is not None:
        return found[3], None
    content = _content(found[2])
    return None if content is None or len(content) < _SHORTEST_BYTES else (found[1], content)


def tokens_in(text: str) -> tuple[str, ...]:
    """The persons a text holds something of, in the order they appear."""
    if "person:" not in text:
        return ()
    return tuple(dict.fromkeys(found[1] or found[3] or found[4] for found in _VALUE.finditer(text)))


def opened(text: str, value: Open, token: Callable[[str], str]) -> str:
    """The text with each encrypted value replaced by `value(token, encrypted bytes)`, bytes None for an erased one.

    A token that stands alone is replaced by `token`. A text that only resembles an encrypted value stays as it is.
    """
    if "person:" not in text:
        return text

    def replaced(found: re.Match[str]) -> str:
        if found[1] is not None:
            content = _content(found[2])
            return found[0] if content is None else value(found[1], content)
        return token(found[4]) if found[3] is None else value(found[3], None)

    return _VALUE.sub(replaced, text)


def unopened(text: str) -> str:
    """The text for readers without a key: a token in place of each value."""
    return opened(text, lambda token, _: token, lambda token: token)


def kept_where_erased(before: Mapping[str, Json], after: Mapping[str, Json]) -> dict[str, Json]:
    """`after` with the value of `before` wherever an erased value of the same persons replaced it.

    The content of an erased person's record is unknown, so a repetition is no change.
    """
    return {name: _kept(before.get(name), value) for name, value in after.items()}


def _content(written: str) -> bytes | None:
    """The bytes of unpadded base64; None for a text that is none."""
    try:
        return urlsafe_b64decode(written + "=" * (-len(written) % 4))
    except binascii.Error:
        return None


def _kept(before: Json, after: Json) -> Json:
    if not isinstance(before, str) or not isinstance(after, str) or "erased:person:" not in after:
        return after
    return before if _as_erased(before) == _as_erased(after) else after


def _as_erased(text: str) -> str:
    return opened(text, lambda token, _: erased_text(token), lambda token: token)
