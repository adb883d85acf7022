"""Client secrets: what is signed comes back, and nothing else is taken."""

import base64
import json
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.edge.auth.client_secrets import (
    MAX_SECRET_CHARS,
    MAX_SESSION_BYTES,
    ClientSecrets,
    ExpiredSecretError,
    InvalidSecretError,
    OversizedSessionError,
)

SESSION = b'{"type":"realtime","instructions":"Speak like a pirate."}'
NOW = 1_800_000_000.0
SIGNER = ClientSecrets(b"one")
ISSUED = SIGNER.issue(SESSION, int(NOW) + 600)


@given(st.binary(max_size=2_000), st.integers(1, 7_200))
def test_what_a_secret_was_issued_for_comes_back_until_it_expires(session: bytes, seconds: int) -> None:
    value = SIGNER.issue(session, int(NOW) + seconds)
    assert SIGNER.open(value, NOW + seconds - 0.001) == session
    with pytest.raises(ExpiredSecretError):
        SIGNER.open(value, NOW + seconds)


@given(st.integers(0, len(base64.urlsafe_b64decode(ISSUED[3:] + "=" * (-len(ISSUED[3:]) % 4))) * 8 - 1))
def test_a_secret_with_any_bit_of_it_flipped_is_refused(bit: int) -> None:
    blob = bytearray(base64.urlsafe_b64decode(ISSUED[3:] + "=" * (-len(ISSUED[3:]) % 4)))
    blob[bit // 8] ^= 1 << bit % 8
    forged = "ek_" + base64.urlsafe_b64encode(blob).rstrip(b"=").decode()
    with pytest.raises(InvalidSecretError):
        SIGNER.open(forged, NOW)


@given(st.integers(0, len(ISSUED) - 1), st.characters())
def test_a_secret_with_any_character_of_it_changed_is_refused(at: int, character: str) -> None:
    forged = ISSUED[:at] + character + ISSUED[at + 1 :]
    if forged != ISSUED:
        with pytest.raises(InvalidSecretError):
            SIGNER.open(forged, NOW)


@pytest.mark.parametrize("length", range(3))
def test_a_secret_has_one_spelling(length: int) -> None:
    # In two of three lengths the last character of base64 has bits that mean nothing.
    value = SIGNER.issue(random.Random(4).randbytes(40 + length), int(NOW) + 600)
    SIGNER.open(value, NOW)
    others = [value[:-1] + last for last in string.ascii_letters + string.digits + "-_" if last != value[-1]]
    for other in (*others, *(value + more for more in ("=", "==", "\n", " ", "!", "A")), value.upper(), value[3:]):
        with pytest.raises(InvalidSecretError):
            SIGNER.open(other, NOW)


@given(st.integers(0, len(ISSUED) - 1))
def test_a_secret_that_was_cut_is_refused(length: int) -> None:
    with pytest.raises(InvalidSecretError):
        SIGNER.open(ISSUED[:length], NOW)


@given(st.text(max_size=200))
def test_a_secret_that_goes_on_is_refused(more: str) -> None:
    if more:
        with pytest.raises(InvalidSecretError):
            SIGNER.open(ISSUED + more, NOW)


@given(st.text(max_size=200))
def test_text_that_was_never_a_secret_is_refused(text: str) -> None:
    for value in (text, "ek_" + text):
        with pytest.raises(InvalidSecretError):
            SIGNER.open(value, NOW)


@given(st.binary(min_size=1, max_size=64), st.binary(min_size=1, max_size=64))
def test_only_the_same_key_opens_a_secret(key: bytes, other: bytes) -> None:
    value = ClientSecrets(key).issue(SESSION, int(NOW) + 600)
    assert ClientSecrets(key).open(value, NOW) == SESSION
    if key != other:
        with pytest.raises(InvalidSecretError):
            ClientSecrets(other).open(value, NOW)


def test_two_secrets_for_the_same_session_differ() -> None:
    assert SIGNER.issue(SESSION, int(NOW)) != SIGNER.issue(SESSION, int(NOW))


def test_a_secret_can_stand_in_a_header_and_in_a_subprotocol() -> None:
    assert set(ISSUED) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def test_a_long_prompt_fits_because_it_is_compressed() -> None:
    prompt = " ".join(f"Rule {number}: when the caller asks about item {number}, be brief." for number in range(150))
    session = json.dumps({"type": "realtime", "instructions": prompt}).encode()
    value = SIGNER.issue(session, int(NOW) + 600)
    assert len(session) > MAX_SECRET_CHARS > len(value)
    assert SIGNER.open(value, NOW) == session


def test_a_session_that_does_not_fit_is_refused_with_the_limit() -> None:
    with pytest.raises(OversizedSessionError, match=f"at most {MAX_SECRET_CHARS} characters"):
        SIGNER.issue(random.Random(4).randbytes(5_000), int(NOW))
    with pytest.raises(OversizedSessionError, match="at most 256 KiB"):
        SIGNER.issue(b" " * (MAX_SESSION_BYTES + 1), int(NOW))
