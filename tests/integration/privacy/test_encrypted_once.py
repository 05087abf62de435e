"""Only a text that is wholly one value of this vault stays as it is; what contains or imitates one is encrypted."""

import pytest

from privacy.decrypt import Reading
from privacy.encrypt import Encryption
from privacy.vault import Vault
from tests.integration.privacy.conftest import Safe
from tests.integration.privacy.test_vault import ADA, sealed

TOPIC = "source.harvest.entries"
IMITATIONS = (
    "call {token} about it", "sealed:{token}:AAAA", "{sealed} and a word more", "a word and {sealed}",
    "{sealed} {sealed}", "{token}", "sealed:{token}:" + "A" * 40, "sealed:person:" + "a" * 26 + ":" + "QUJD" * 10,
    "{sealed}\n", " {sealed}", "sealed:person:", "erased:{token} Kasse", "{sealed}x", "sealed:person:\ud800",
)  # fmt: skip


def encrypted(vault: Vault, notes: str) -> str:
    value = {"id": "1", "first_name": "Ada", "last_name": "Lovelace", "notes": notes}
    _, record = Encryption(vault).record(TOPIC, "1", value)
    assert isinstance(record, dict)
    return str(record["notes"])


@pytest.mark.parametrize("notes", IMITATIONS)
def test_what_imitates_an_encrypted_value_is_encrypted(safe: Safe, notes: str) -> None:
    vault = safe.open()
    vault.keys([ADA])
    said = notes.replace("{token}", vault.token(ADA)).replace("{sealed}", sealed(vault, ADA, "Kasse"))
    published = encrypted(vault, said)
    assert published != said
    assert published.startswith(f"sealed:{vault.token(ADA)}:")
    assert Reading(vault).shown(published) in (said, said.encode(errors="surrogatepass").decode(errors="replace"))


def test_what_is_encrypted_already_stays(safe: Safe) -> None:
    vault = safe.open()
    said = sealed(vault, ADA, "Kasse")
    assert encrypted(vault, said) == said
    assert Reading(vault).shown(said) == "Kasse"
    assert encrypted(vault, f"erased:{vault.token(ADA)}") == f"erased:{vault.token(ADA)}"
