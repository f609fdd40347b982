"""Golden models of quantization while a network is trained."""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["answer", "encrypt", "fake_quantize", "select_blocks"]

NAN = 0x7FC00000
# More steps than there are between any two codes.
MANY = 1 << 20
WORD = np.uint64(0xFFFF)


def fake_quantize(
    words: ArrayLike,
    *,
    scale: int,
    inv_scale: int,
    zero_point: int,
    qmin: int,
    qmax: int,
    bypass: bool = False,
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return numbers that were quantized and taken back, and which of them were in the range.

    Parameters
    ----------
    words : array of integers, shape ``(n,)``
        Bit patterns of fp32, as ``scale`` and ``inv_scale`` are.
    zero_point, qmin, qmax : int
        Codes: of 0, and the ends of the range.

    Returns
    -------
    array of bit patterns, shape ``(n,)``
        A NaN is the canonical one, but with ``bypass``.
    array of bool, shape ``(n,)``
    """
    a = np.asarray(words, np.uint64)
    if bypass:
        return a, np.ones(a.shape, bool)
    step, inverse = (np.array(word, np.uint32).view(np.float32) for word in (scale, inv_scale))
    with np.errstate(all="ignore"):
        counts = np.rint(a.astype(np.uint32).view(np.float32) * inverse)
        is_nan = np.isnan(counts)
        codes = np.where(is_nan, 0, np.clip(counts, -MANY, MANY)).astype(np.int64) + zero_point
        below, above = (codes < qmin) | is_nan, codes > qmax
        codes = np.where(below, qmin, np.where(above, qmax, codes))
        result = (codes - zero_point).astype(np.float32) * step
    found = np.where(np.isnan(result), np.uint32(NAN), result.view(np.uint32))
    return found.astype(np.uint64), ~(below | above)


def encrypt(texts: ArrayLike, *, key: int) -> NDArray[np.uint64]:
    """Return words of 32 bits, encrypted with Speck32/64.

    The first word of a text or key as it is published is in the highest bits.
    """
    low, high = (np.asarray(texts, np.uint64) >> np.uint64(s) & WORD for s in (0, 16))
    words = [key >> 16 * k & 0xFFFF for k in range(4)]
    round_key, others = words[0], words[1:]
    for number in range(22):
        high = (_rotated(high, 9) + low & WORD) ^ np.uint64(round_key)
        low = _rotated(low, 2) ^ high
        mixed = (_rotated(np.uint64(others.pop(0)), 9) + np.uint64(round_key) & WORD) ^ np.uint64(
            number
        )
        others.append(int(mixed))
        round_key = int(_rotated(np.uint64(round_key), 2) ^ mixed)
    return high << np.uint64(16) | low


def _rotated(word: NDArray | np.uint64, up: int) -> NDArray:
    """Return words of 16 bits, rotated."""
    return np.asarray((word << np.uint64(up) | word >> np.uint64(16 - up)) & WORD)


def select_blocks(
    size: int, *, key: int, start: int, threshold: int, block: int
) -> NDArray[np.bool_]:
    """Return which elements of an array are in blocks that are chosen.

    Parameters
    ----------
    size : int
        Of the array.
    key, start : int
        Of 64 and 32 bits.
    threshold : int
        In ``0..256``; a block is chosen with this probability, in 256ths.
    block : int
        Elements.

    Returns
    -------
    array of bool, shape ``(size,)``
    """
    numbers = np.arange(size, dtype=np.uint64) // np.uint64(block)
    texts = np.uint64(start) + numbers // np.uint64(4) & np.uint64((1 << 32) - 1)
    draws = encrypt(texts, key=key) >> numbers % np.uint64(4) * np.uint64(8) & np.uint64(0xFF)
    return draws < threshold


def answer(messages: Sequence[bytes], *, target: int) -> tuple[list[bytes], list[dict[str, int]]]:
    """Return the replies to messages, and the settings behind each of them.

    Settings are those of :func:`fake_quantize`, and the ``strategy``.
    """
    names = ("scale", "inv_scale", "zero_point", "qmin", "qmax", "strategy")
    settings = {"bypass": 1, **dict.fromkeys(names, 0)}
    replies, shown = [], []
    last = None
    for message in messages:
        code, found = _check_message(message, target, last)
        if found:
            last, settings = message[1], found
        sequence = message[1] if len(message) == 21 else 0
        content = bytes([1, sequence, code, settings["strategy"]])
        replies.append(content + zlib.crc32(content).to_bytes(4, "little"))
        shown.append(settings)
    return replies, shown


def _check_message(
    message: bytes, target: int, last: int | None
) -> tuple[int, dict[str, int] | None]:
    """Return the code that answers a message, and the settings that it brings."""
    if len(message) != 21:
        return 1, None
    if int.from_bytes(message[17:], "little") != zlib.crc32(message[:17]):
        return 2, None
    version, sequence, meant, strategy, method, bits = message[:6]
    scale, inverse = (int.from_bytes(message[k : k + 4], "little") for k in (6, 10))
    zero = int.from_bytes(message[14:17], "little", signed=True)
    low = -(2**bits) // 2 if method == 2 else 0
    high = low + 2**bits - 1
    if version != 1:
        return 3, None
    if meant != target:
        return 4, None
    if sequence == last:
        return 0, None
    if method > 2:
        return 5, None
    if not 1 <= bits <= 16:
        return 6, None
    if not low <= zero <= high:
        return 7, None
    if not all(1 << 23 <= word < 255 << 23 for word in (scale, inverse)):
        return 8, None
    settings = {"scale": scale, "inv_scale": inverse, "zero_point": zero, "bypass": int(not method)}
    return 0, settings | {"qmin": low, "qmax": high, "strategy": strategy}
