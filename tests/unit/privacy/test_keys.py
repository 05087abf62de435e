"""Sealing as properties: what a person's key sealed, that key opens and no other; a token says nothing and stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.ciphertext import (
    erased_text,
    is_token,
    kept_where_erased,
    opened,
    sealed_text,
    tokens_in,
    unopened,
)
from privacy.keys import MasterKey, PersonKey, new_key, row_id, token_of

NAMING = bytes(range(64))
NAMES = st.text(max_size=80)
KEYS = st.binary(min_size=64, max_size=64).filter(lambda key: key[:32] != key[32:])


def token(identity: str, system: str = "harvest") -> str:
    return token_of(NAMING, system, "person", identity)


ADA, GRACE = token("Ada Lovelace"), token("Grace Hopper")


@given(KEYS, st.binary(max_size=300))
def test_what_is_sealed_opens_to_what_it_was_and_is_the_same_each_time(key: bytes, content: bytes) -> None:
    one = PersonKey(ADA, key)
    sealed = one.seal(content)
    assert (one.open(sealed), PersonKey(ADA, key).seal(content)) == (content, sealed)


@given(KEYS, KEYS, st.binary(max_size=300))
def test_no_other_key_and_no_other_person_opens_it(key: bytes, other: bytes, content: bytes) -> None:
    sealed = PersonKey(ADA, key).seal(content)
    assert PersonKey(GRACE, key).open(sealed) is None
    assert key == other or PersonKey(ADA, other).open(sealed) is None


@given(KEYS, st.binary(max_size=60), st.data())
def test_an_altered_value_opens_to_nothing(key: bytes, content: bytes, data: st.DataObject) -> None:
    sealed = bytearray(PersonKey(ADA, key).seal(content))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    assert PersonKey(ADA, key).open(bytes(sealed)) is None


@given(KEYS, NAMES, NAMES, NAMES)
def test_sealed_values_in_a_text_are_opened_where_they_stand(key: bytes, a: str, b: str, value: str) -> None:
    sealing = PersonKey(ADA, key)
    text = f"{a} {sealed_text(ADA, sealing.seal(value.encode('utf-8', 'replace')))} {b}"

    def open_it(of: str, content: bytes | None) -> str:
        assert (of, content is not None) == (ADA, True)
        return (sealing.open(content or b"") or b"").decode()

    assert opened(text, open_it, str) == f"{a} {value.encode('utf-8', 'replace').decode()} {b}"
    assert unopened(text) == f"{a} {ADA} {b}"
    assert tokens_in(text) == (ADA,)


@given(NAMES, NAMES)
def test_a_token_is_of_one_identity_however_it_is_written(name: str, other: str) -> None:
    assert is_token(token(name))
    assert token(f"  {name.swapcase()}\t") == token(name) or name.casefold() != name.swapcase().casefold()
    assert token(name, "kimai") != token(name)
    plain = [" ".join(each.casefold().split()) for each in (name, other)]
    assert (token(name) == token(other)) or plain[0] != plain[1]


@given(st.binary(min_size=32, max_size=64), st.binary(min_size=32, max_size=64))
def test_a_wrapped_key_is_bound_to_its_master_key_and_its_name(secret: bytes, other: bytes) -> None:
    key, master = new_key(), MasterKey(secret)
    wrapped = master.wrap(ADA, key)
    assert master.unwrap(ADA, wrapped) == key
    assert master.unwrap(GRACE, wrapped) is None
    assert secret == other or (MasterKey(other).unwrap(ADA, wrapped), MasterKey(other).id == master.id) == (None, False)
    assert key not in wrapped


def test_a_key_is_in_no_representation() -> None:
    secret = b"a secret that is long enough to be a key"
    assert secret.decode() not in repr(MasterKey(secret)) + repr(vars(MasterKey))
    assert not hasattr(MasterKey(secret), "__dict__")


def test_an_erased_value_in_place_of_one_that_stands_is_no_news() -> None:
    sealed = sealed_text(ADA, b"x" * 20)
    before = {"note": sealed, "name": f"{sealed} {sealed}", "hours": "1", "other": sealed}
    after = {"note": erased_text(ADA), "name": f"{erased_text(ADA)} {erased_text(ADA)}", "hours": "2", "other": "new"}
    assert kept_where_erased(before, after) == {**before, "hours": "2", "other": "new"}
    assert kept_where_erased({"note": sealed}, {"note": erased_text(GRACE)}) == {"note": erased_text(GRACE)}
    assert kept_where_erased({"note": None}, {"note": erased_text(ADA)}) == {"note": erased_text(ADA)}


@pytest.mark.parametrize("made", ["0123456789abcdef0123", "feed"])
def test_an_id_made_of_a_row_tells_nothing_without_the_secret(made: str) -> None:
    assert row_id(NAMING, made) == row_id(NAMING, made) != made
    assert row_id(NAMING[::-1], made) != row_id(NAMING, made)
