"""The vault's cryptography: AES-SIV of the `cryptography` package, HKDF, HMAC; it stores and reads nothing.

AES-SIV is deterministic: a value encrypted twice is the same text, so a fact published twice is the same fact. It
reveals only which values of one person are equal. It also wraps the keys of persons, each bound to its token.
"""

import hmac
import unicodedata
from base64 import b32encode
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from common.private import read_secret
from privacy.errors import PeopleError

_SIV_BYTES = 64  # AES-256 twice: one half of the key authenticates, the other encrypts
_SHORTEST = 32
_TOKEN_BYTES = 16


class PersonKey:
    """The key of one person. Without it the person's ciphertext cannot be read."""

    __slots__ = ("_about", "_siv")

    def __init__(self, token: str, key: bytes) -> None:
        self._siv, self._about = AESSIV(key), [token.encode()]

    def seal(self, content: bytes) -> bytes:
        """The same bytes for the same content. AES-SIV takes no empty content, so each has a byte before it."""
        return self._siv.encrypt(b"\x01" + content, self._about)

    def open(self, sealed: bytes) -> bytes | None:
        """The content; None where this key did not seal it, or it was altered."""
        try:
            return self._siv.decrypt(sealed, self._about)[1:]
        except (InvalidTag, ValueError):
            return None


class MasterKey:
    """The key-encrypting key. Never in a table, on the bus, or in a representation."""

    __slots__ = ("_wrapping", "id")

    def __init__(self, secret: bytes) -> None:
        self._wrapping = AESSIV(_derived(secret, b"wrap", _SIV_BYTES))
        self.id = _derived(secret, b"id", 6).hex()

    @classmethod
    def read(cls, path: Path) -> "MasterKey":
        """The key in a file. Raises PeopleError for one that is none."""
        try:
            secret = read_secret(path).strip()
        except OSError as error:
            raise PeopleError(f"{path}, the key of personal data, cannot be read: {error.strerror}") from None
        if len(secret) < _SHORTEST:
            raise PeopleError(f"{path} holds no key of personal data: `openssl rand -hex 32` makes one")
        return cls(secret)

    def wrap(self, name: str, key: bytes) -> bytes:
        """A key for a table, bound to the name it is kept under."""
        return self._wrapping.encrypt(key, [name.encode()])

    def unwrap(self, name: str, wrapped: bytes) -> bytes | None:
        """The key again; None where it was wrapped by another one, or under another name."""
        try:
            return self._wrapping.decrypt(wrapped, [name.encode()])
        except (InvalidTag, ValueError):
            return None


def new_key() -> bytes:
    """A person's key."""
    return AESSIV.generate_key(_SIV_BYTES * 8)


def token_of(naming: bytes, system: str, kind: str, identity: str) -> str:
    """The token of an identity in a system: letter case, blanks and ways of writing accents do not count."""
    plain = " ".join(unicodedata.normalize("NFKC", identity).casefold().split())
    digest = hmac.new(naming, "\0".join((system, kind, plain)).encode(), sha256).digest()
    return "person:" + b32encode(digest[:_TOKEN_BYTES]).decode().rstrip("=").lower()


def row_id(naming: bytes, made: str) -> str:
    """An id that replaces one made of a row's values, which could be computed by guessing the row."""
    return hmac.new(naming, b"row\0" + made.encode(), sha256).hexdigest()[:20]


def _derived(secret: bytes, what: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=b"hourstream people " + what).derive(secret)
