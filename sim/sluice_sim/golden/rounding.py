"""Golden model of the rounding unit and of the generators of its random bits."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sluice_sim.golden.formats import FixedFormat, FloatFormat, check_codes, find_format

__all__ = ["MODES", "Lfsr", "Xoroshiro", "lane_seeds", "round_bits"]

MODES = ("nearest_even", "towards_zero", "own_bits", "generator")

MAX_RANDOM_BITS = 31


def round_bits(
    bits: ArrayLike,
    *,
    source: str,
    target: str,
    mode: str,
    random_bits: int = 8,
    position: int = 0,
    saturate: bool = False,
    random: ArrayLike | None = None,
) -> NDArray[np.unsignedinteger]:
    """Round bit patterns of format ``source`` to bit patterns of format ``target``.

    The magnitude ``|x|`` is cut at the quantum ``q`` of the target, the spacing of the target's
    values at ``x``: ``|x| = (kept + delta) * q`` with ``0 <= delta < 1``. The result is
    ``(kept + up) * q`` with the sign of ``x``, and ``up`` is

    - ``towards_zero``: 0,
    - ``nearest_even``: ``delta > 1/2``, or ``delta == 1/2`` and ``kept`` odd,
    - ``own_bits`` and ``generator``: ``floor(delta * 2**R) + r >= 2**R`` for an R-bit ``r``.

    Parameters
    ----------
    bits : array of integers, any shape
        Bit patterns in the low bits of each element.
    source, target : str
        Names of formats, see :func:`sluice_sim.golden.formats.find_format`.
    mode : {"nearest_even", "towards_zero", "own_bits", "generator"}
        How to round.
    random_bits : int, 1..31
        R, the width of ``r``, for the two stochastic modes.
    position : int
        ``own_bits`` only: ``r`` is bits ``position`` to ``position + random_bits - 1`` of the
        mantissa field of the source word, or of the magnitude of a fixed-point source. The field
        must lie inside the mantissa (the low ``width - 1`` bits of a magnitude).
    saturate : bool
        Whether overflow and infinities become the largest finite value of the target.
    random : array of integers, broadcast to ``bits``
        ``generator`` only: ``r`` of each element.

    Returns
    -------
    array of uint8, uint16 or uint32
        Bit patterns of the target, in the shape of ``bits``.

    Notes
    -----
    Overflow of a floating-point target gives infinity, or NaN where the format has no infinity;
    the largest finite value with ``saturate``, or in mode ``towards_zero`` if the source is finite.
    A NaN gives the target's canonical quiet NaN with the sign of the source. Zeros, and results
    that round to zero, keep their sign. Integer and fixed-point targets always saturate, to the
    ends of two's complement; for them NaN gives 0.

    Raises
    ------
    TypeError
        If ``bits`` or ``random`` are not integers.
    ValueError
        If a pattern is too wide for its format, or a parameter is out of range.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
    src, dst = find_format(source), find_format(target)
    code = check_codes(bits, src)
    negative, significand, exponent, is_inf, is_nan = _unpack(code, src)

    if isinstance(dst, FixedFormat):
        quantum = np.full(code.shape, -dst.fraction_bits)
    else:
        # frexp counts the bits of an integer; zero gets the target's smallest exponent.
        length = np.frexp(significand.astype(np.float64))[1].astype(np.int64)
        lowest = 1 - dst.bias
        leading = np.where(significand == 0, lowest, exponent + length - 1)
        quantum = np.maximum(leading, lowest) - dst.mantissa_bits

    # A significand has at most 32 bits and r at most 31, so dropping more than 63 bits is the same
    # as dropping 63, and a shift to the left by more than 32 overflows any fixed-point target.
    drop = np.clip(quantum - exponent, -32, 63)
    right = np.maximum(drop, 0).astype(np.uint64)
    kept = (significand << np.maximum(-drop, 0).astype(np.uint64)) >> right
    dropped = significand & ((np.uint64(1) << right) - np.uint64(1))

    if mode == "nearest_even":
        # Twice the dropped part against one whole, so that drop = 0 needs no case of its own.
        twice, whole = dropped << np.uint64(1), np.uint64(1) << right
        kept = kept + ((twice > whole) | ((twice == whole) & (kept & np.uint64(1) > 0)))
    elif mode != "towards_zero":
        r = _rounding_value(code, src, mode, random_bits, position, random)
        shift = right.astype(np.int64) - random_bits
        second = np.where(
            shift >= 0,
            dropped >> np.maximum(shift, 0).astype(np.uint64),
            dropped << np.maximum(-shift, 0).astype(np.uint64),
        )
        kept = kept + ((second + r) >> np.uint64(random_bits))

    if isinstance(dst, FixedFormat):
        largest = np.where(negative, 1 << dst.width - 1, (1 << dst.width - 1) - 1).astype(np.uint64)
        magnitude = np.where(is_inf, largest, np.minimum(kept, largest)).astype(np.int64)
        result = np.where(is_nan, 0, np.where(negative, -magnitude, magnitude))
        result &= (1 << dst.width) - 1
    else:
        # Exponent field and mantissa in one addition: a carry out of the significand, and a
        # subnormal that reaches the smallest normal value, step the exponent by themselves.
        field = quantum + dst.mantissa_bits + dst.bias - 1
        result = (field << dst.mantissa_bits) + kept.astype(np.int64)
        overflow = result > dst.max_code
        beyond = dst.inf_code if dst.has_inf else dst.nan_code
        finite_overflow = dst.max_code if mode == "towards_zero" else beyond
        result = np.where(overflow, finite_overflow, result)
        result = np.where(is_inf, beyond, result)
        if saturate:
            result = np.where(overflow | is_inf, dst.max_code, result)
        result = np.where(is_nan, dst.nan_code, result)
        result |= negative.astype(np.int64) << dst.width - 1
    return result.astype(np.min_scalar_type((1 << dst.width) - 1))


def _unpack(code: NDArray[np.int64], fmt: FloatFormat | FixedFormat) -> tuple[NDArray, ...]:
    """Return sign, significand and exponent (the value is their product), is inf, is NaN."""
    negative = (code >> fmt.width - 1).astype(bool)
    never = np.zeros(code.shape, bool)
    if isinstance(fmt, FixedFormat):
        magnitude = np.where(negative, (1 << fmt.width) - code, code)
        exponent = np.full(code.shape, -fmt.fraction_bits)
        return negative, magnitude.astype(np.uint64), exponent, never, never
    magnitude = code & ((1 << fmt.width - 1) - 1)
    field = magnitude >> fmt.mantissa_bits
    hidden = np.where(field > 0, 1 << fmt.mantissa_bits, 0)
    significand = (magnitude & ((1 << fmt.mantissa_bits) - 1)) + hidden
    exponent = np.maximum(field, 1) - fmt.bias - fmt.mantissa_bits
    is_inf = magnitude == fmt.inf_code if fmt.has_inf else never
    is_nan = (magnitude > fmt.max_code) & ~is_inf
    return negative, significand.astype(np.uint64), exponent, is_inf, is_nan


def _rounding_value(
    code: NDArray[np.int64],
    src: FloatFormat | FixedFormat,
    mode: str,
    random_bits: int,
    position: int,
    random: ArrayLike | None,
) -> NDArray[np.uint64]:
    """Return ``r`` of each element."""
    if not 1 <= random_bits <= MAX_RANDOM_BITS:
        raise ValueError(f"random_bits must be in 1..{MAX_RANDOM_BITS}, not {random_bits}")
    if mode == "own_bits":
        if not 0 <= position <= src.own_field_bits - random_bits:
            raise ValueError(
                f"position {position} with random_bits {random_bits} leaves the "
                f"{src.own_field_bits} bits that {src.name} can round with"
            )
        field = code
        if isinstance(src, FixedFormat):
            field = np.where(code >> src.width - 1, (1 << src.width) - code, code)
        return ((field >> position) & ((1 << random_bits) - 1)).astype(np.uint64)
    if random is None:
        raise ValueError("mode 'generator' needs random, the R-bit integers")
    r = np.asarray(random)
    if r.dtype.kind not in "iu":
        raise TypeError(f"random must be integers, not {r.dtype}")
    if r.size and (int(r.min()) < 0 or int(r.max()) >> random_bits):
        raise ValueError(f"random must be in 0..2**{random_bits}-1")
    return np.broadcast_to(r, code.shape).astype(np.uint64)


# A state of all zeros never leaves zero; both generators start from this word instead.
ZERO_STATE_SUBSTITUTE = 0x9E3779B9


def lane_seeds(seed: int, lanes: int, width: int) -> list[int]:
    """Return ``lanes`` states of ``width`` (1..64) bits, well mixed and different, from one number.

    They are the top bits of successive outputs of SplitMix64 (Steele, Lea and Flood, "Fast
    splittable pseudorandom number generators", 2014), which repeats no 64-bit output.
    """
    mask = (1 << 64) - 1
    states = []
    for lane in range(1, lanes + 1):
        z = (seed + lane * 0x9E3779B97F4A7C15) & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        states.append((z ^ (z >> 31)) >> 64 - width)
    return states


class Lfsr:
    """One 32-bit linear feedback shift register per lane, leaping ``random_bits`` steps per beat.

    The stream of bits is ``b[t+32] = b[t+15] ^ b[t+7] ^ b[t+5] ^ b[t]``, of period ``2**32 - 1``
    because ``x**32 + x**15 + x**7 + x**5 + 1`` is primitive. The state holds ``b[t]`` (bit 0) to
    ``b[t+31]``. A beat gives the low ``random_bits`` bits of the state, then leaps as many steps:
    each beat's bits are new. With every tap in the low half, each of up to 16 new bits is the
    exclusive or of four bits of the present state: one 4-input LUT, whatever the leap.

    Parameters
    ----------
    seeds : sequence of int
        State of each lane before its first beat, 32 bits. Zero means ``0x9E3779B9``.
    random_bits : int, 1..16
        R, bits per lane and beat.

    Notes
    -----
    A lane's beats repeat after ``(2**32 - 1) / gcd(R, 2**32 - 1)`` beats. The lanes share one
    sequence and differ in where they start, so seed them far apart, as :func:`lane_seeds` does.
    """

    WIDTH = 32
    TAPS = (0, 5, 7, 15)

    def __init__(self, seeds: Sequence[int], *, random_bits: int = 8):
        if not 1 <= random_bits <= 16:
            raise ValueError(f"random_bits must be in 1..16, not {random_bits}")
        self.random_bits = random_bits
        self.seed(seeds)

    def seed(self, seeds: Sequence[int]) -> None:
        """Set the state of every lane."""
        self.state = np.array(_checked_states(seeds, self.WIDTH), np.uint64)

    def next(self) -> NDArray[np.uint32]:
        """Return the next R bits of every lane, shape ``(lanes,)``."""
        state, r = self.state, np.uint64(self.random_bits)
        mask = (np.uint64(1) << r) - np.uint64(1)
        new = np.bitwise_xor.reduce([state >> np.uint64(tap) for tap in self.TAPS]) & mask
        self.state = (state >> r) | (new << (np.uint64(self.WIDTH) - r))
        return (state & mask).astype(np.uint32)


class Xoroshiro:
    """One xoroshiro generator with the ``+`` scrambler per lane.

    The better and larger choice: the carries break up the linear relations between bits, at the
    price of two words of state and an adder per lane. A beat is the top ``random_bits`` bits of
    ``s0 + s1``, whose low bits are the weak ones; then ``s1 ^= s0``,
    ``s0 = rotl(s0, a) ^ s1 ^ (s1 << b)``, ``s1 = rotl(s1, c)``.

    Parameters
    ----------
    seeds : sequence of int
        State of each lane, ``s1`` in the upper and ``s0`` in the lower half. Zero means
        ``0x9E3779B9``.
    random_bits : int, 1..word_bits
        R, bits per lane and beat.
    word_bits : {32, 64}
        32 (state of 64 bits; a, b, c = 26, 9, 13, the engine of xoroshiro64*) for hardware; 64 is
        the published xoroshiro128+ (24, 16, 37).

    References
    ----------
    D. Blackman and S. Vigna, "Scrambled linear pseudorandom number generators", ACM Trans. Math.
    Softw. 47 (2021), https://prng.di.unimi.it.
    """

    CONSTANTS: ClassVar = {32: (26, 9, 13), 64: (24, 16, 37)}

    def __init__(self, seeds: Sequence[int], *, random_bits: int = 8, word_bits: int = 32):
        if word_bits not in self.CONSTANTS:
            raise ValueError(f"word_bits must be 32 or 64, not {word_bits}")
        if not 1 <= random_bits <= word_bits:
            raise ValueError(f"random_bits must be in 1..{word_bits}, not {random_bits}")
        self.random_bits = random_bits
        self.word_bits = word_bits
        self.seed(seeds)

    def seed(self, seeds: Sequence[int]) -> None:
        """Set the state of every lane."""
        states = _checked_states(seeds, 2 * self.word_bits)
        mask = (1 << self.word_bits) - 1
        self.s0 = np.array([state & mask for state in states], np.uint64)
        self.s1 = np.array([state >> self.word_bits for state in states], np.uint64)

    def next(self) -> NDArray[np.uint64]:
        """Return the next R bits of every lane, shape ``(lanes,)``."""
        width, mask = np.uint64(self.word_bits), np.uint64((1 << self.word_bits) - 1)

        def rotate(word: NDArray[np.uint64], by: int) -> NDArray[np.uint64]:
            return ((word << np.uint64(by)) | (word >> width - np.uint64(by))) & mask

        a, b, c = self.CONSTANTS[self.word_bits]
        total = (self.s0 + self.s1) & mask
        mixed = self.s0 ^ self.s1
        self.s0 = rotate(self.s0, a) ^ mixed ^ ((mixed << np.uint64(b)) & mask)
        self.s1 = rotate(mixed, c)
        return total >> width - np.uint64(self.random_bits)


def _checked_states(seeds: Sequence[int], width: int) -> list[int]:
    if len(seeds) < 1:
        raise ValueError("a generator needs the seed of at least one lane")
    if any(not 0 <= seed < 1 << width for seed in seeds):
        raise ValueError(f"a seed must be in 0..2**{width}-1")
    return [int(seed) or ZERO_STATE_SUBSTITUTE for seed in seeds]
