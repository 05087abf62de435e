"""Texts for people: decrypted values, names in place of tokens, `(erased)` for erased values."""

from psycopg import Cursor
from psycopg.rows import TupleRow

from common.ciphertext import opened, tokens_in, unopened
from privacy.errors import PeopleError
from privacy.keys import PersonKey
from privacy.vault import PersonEntry, Vault

ERASED, UNREADABLE = "(erased)", "(not readable)"


class Reading:
    """Reads the vault for one command or page: it reads each person once, so do not keep it.

    With a `cursor` it reads on that connection, and takes none of its own. A key that the vault cannot unwrap makes
    only its person's values unreadable.
    """

    def __init__(self, vault: Vault, cursor: Cursor[TupleRow] | None = None) -> None:
        self._vault, self._cursor = vault, cursor
        self._met: dict[str, tuple[PersonEntry, PersonKey | None] | None] = {}

    def shown(self, text: str) -> str:
        """The text, opened. A token that the vault has never met stays."""
        unmet = [token for token in tokens_in(text) if token not in self._met]
        if unmet:
            self._met |= self._asked(unmet)
        return opened(text, self._value, self._name)

    def _asked(self, tokens: list[str]) -> dict[str, tuple[PersonEntry, PersonKey | None] | None]:
        try:
            return dict.fromkeys(tokens) | self._vault.opened(tokens, self._cursor)
        except PeopleError:
            if len(tokens) == 1:
                return {tokens[0]: None}
        return {token: found for each in tokens for token, found in self._asked([each]).items()}

    def _value(self, token: str, content: bytes | None) -> str:
        met = self._met[token]
        if met is None:
            return UNREADABLE
        key = met[1]
        if key is None or content is None:
            return ERASED
        plain = key.open(content)
        return UNREADABLE if plain is None else plain.decode(errors="replace")

    def _name(self, token: str) -> str:
        met = self._met[token]
        return token if met is None else met[0].name or ERASED


def reading(vault: Vault | None) -> Reading | None:
    """Decrypts texts for processes with the key."""
    return None if vault is None else Reading(vault)


def readable(look: Reading | None, text: str) -> str:
    """A text for the caller: names with the key, tokens without."""
    return unopened(text) if look is None else look.shown(text)
