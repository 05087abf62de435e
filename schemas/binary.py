"""Avro's binary primitives in Python, called by the compiled codec for everything longer than a byte.

A `read_…` takes the bytes and a position and gives the value and the next position; a `put_…` appends to a
bytearray. Bytes that break the encoding raise IndexError, ValueError or ArithmeticError, values that do not fit raise
TypeError, ValueError or ArithmeticError; `schemas.codec` turns both into the errors of this package.
"""

import decimal
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_MOST = 1 << 63
_SMALL = [bytes((n << 1,)) for n in range(64)]
_LONGEST = 10  # bytes of a 64-bit number
_MILLISECONDS_A_DAY = 86_400_000
# Digits are never rounded away: what does not fit in the context raises instead.
_EXACT = decimal.Context(prec=60, traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow])
_REMEMBERED = 8192  # rates, fees and zeroes repeat in a stream; a repeated decimal costs a look-up


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """The unsigned number before zigzag."""
    number = shift = 0
    for byte in data[at : at + _LONGEST]:
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
    raise ValueError("a number cut off, or of more than 64 bits")


def read_length(data: bytes, at: int) -> tuple[int, int]:
    """The unsigned number before zigzag, which must be that of a length."""
    number, at = read_long(data, at)
    if number & 1:
        raise ValueError("a negative length")
    return number, at


def put_long(out: bytearray, value: int) -> None:
    """Zigzag, seven bits a byte."""
    if not -_MOST <= value < _MOST:
        raise ValueError("a number of more than 64 bits")
    value = (value << 1) ^ (value >> 63)
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def long(value: int) -> bytes:
    """A number as `put_long` writes it."""
    if 0 <= value < 64:
        return _SMALL[value]
    out = bytearray()
    put_long(out, value)
    return bytes(out)


def span(data: bytes) -> bytes:
    """A string's or bytes' length and content."""
    length = len(data)
    return (_SMALL[length] if length < 64 else long(length)) + data


def read_block(data: bytes, at: int) -> tuple[int, int]:
    """The number of items in the next block of an array, 0 at its end."""
    number, at = read_long(data, at)
    if number & 1:  # a negative count: the block's size in bytes follows, for readers that skip
        _, at = read_long(data, at)
        return (number + 1) >> 1, at
    return number >> 1, at


def put_instant(out: bytearray, value: object) -> None:
    """Milliseconds since 1970; finer instants and those without a time zone are refused, not rounded."""
    if type(value) is not datetime or value.tzinfo is None:
        raise TypeError("not an instant")
    since = value - EPOCH
    milliseconds, rest = divmod(since.microseconds, 1000)
    if rest:
        raise ValueError("finer than a millisecond")
    put_long(out, since.days * _MILLISECONDS_A_DAY + since.seconds * 1000 + milliseconds)


def instant(milliseconds: int) -> datetime:
    """The UTC instant of a number of milliseconds since 1970."""
    return EPOCH + timedelta(0, 0, 0, milliseconds)


@cache
def decimal_reader(precision: int, scale: int) -> Callable[[bytes], Decimal]:
    """From an unscaled two's complement number to a Decimal with `scale` places."""
    most = 10**precision

    @lru_cache(_REMEMBERED)
    def read(unscaled: bytes) -> Decimal:
        number = int.from_bytes(unscaled, "big", signed=True)
        if not unscaled or not -most < number < most:
            raise ValueError(f"a decimal of more than {precision} digits, or of none")
        return Decimal(number).scaleb(-scale, _EXACT)

    return read


@cache
def decimal_writer(precision: int, scale: int) -> Callable[[Decimal], bytes]:
    """From a Decimal to its length and its shortest unscaled two's complement number."""
    most = 10**precision

    @lru_cache(_REMEMBERED)
    def write(value: Decimal) -> bytes:
        scaled = value.scaleb(scale, _EXACT)
        number = int(scaled)
        if number != scaled or not -most < number < most:
            raise ValueError(f"more than {scale} places or {precision} digits")
        length = (number.bit_length() + 8) // 8
        return bytes((length << 1,)) + number.to_bytes(length, "big", signed=True)

    return write
