"""Golden models of the generators of random bits, many independent lanes at a time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Lfsr32", "Xoroshiro64", "lane_seeds"]

MAX_RANDOM_BITS = 16

# A linear generator never leaves the state of all zeros; every lane starts from this one instead.
ZERO_STATE_SUBSTITUTE = 1


def lane_seeds(seed: int, lanes: int, width: int) -> list[int]:
    """Return ``lanes`` seeds of ``width`` (1..64) bits, well mixed, from one number.

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


class Lfsr32:
    """One 32-bit linear feedback shift register per lane, leaping 16 steps at a time.

    A single step of the Fibonacci register with taps 32, 22, 2, 1 shifts left and feeds back
    ``state' = (state << 1) | (state[31] ^ state[21] ^ state[1] ^ state[0])``: tap n is bit n - 1.
    Its period is ``2**32 - 1``. A call of :meth:`next` gives the low ``random_bits`` bits of the
    state, then multiplies it by the matrix of 16 such steps, which puts 16 bits never seen before
    into the low half; the last of them is bit 0.

    Parameters
    ----------
    seeds : sequence of int
        State of each lane before its first output, 32 bits. Zero means 1.
    random_bits : int, 1..16
        R, bits per lane and call.

    Attributes
    ----------
    state : array of uint64, shape ``(lanes,)``
        State that the next output is taken from.

    Notes
    -----
    16 and ``2**32 - 1`` have no common factor, so the leaps visit every state but zero. The lanes
    share one sequence and differ in where they start: seed them far apart, as :func:`lane_seeds`
    does.

    Raises
    ------
    ValueError
        If ``random_bits`` or a seed is out of range, or there is no seed.
    """

    WIDTH = 32
    TAPS = (32, 22, 2, 1)
    LEAP = 16

    def __init__(self, seeds: Sequence[int], *, random_bits: int = 8):
        self.random_bits = _checked_random_bits(random_bits)
        self.seed(seeds)

    def seed(self, seeds: Sequence[int]) -> None:
        """Set the state of every lane."""
        self.state = np.array(_checked_states(seeds, self.WIDTH), np.uint64)

    def next(self) -> NDArray[np.uint64]:
        """Return R bits of the state of every lane, shape ``(lanes,)``, and step."""
        output = self.state & np.uint64((1 << self.random_bits) - 1)
        leapt = np.zeros_like(self.state)
        for byte, leaps in enumerate(_LEAPS):
            leapt ^= leaps[(self.state >> np.uint64(8 * byte)) & np.uint64(255)]
        self.state = leapt
        return output


def _leaps() -> NDArray[np.uint64]:
    """Return, for each byte of a state and each of its values, the state that it alone becomes."""
    states = (
        np.arange(256, dtype=np.uint64) << np.uint64(8) * np.arange(4, dtype=np.uint64)[:, None]
    )
    for _ in range(Lfsr32.LEAP):
        feedback = np.bitwise_xor.reduce([states >> np.uint64(tap - 1) for tap in Lfsr32.TAPS])
        states = (states << np.uint64(1) | feedback & np.uint64(1)) & np.uint64(0xFFFF_FFFF)
    return states


_LEAPS = _leaps()


class Xoroshiro64:
    """One xoroshiro generator of two 32-bit words with the ``+`` scrambler per lane.

    The better and larger choice: the carries break up the linear relations between bits, at the
    price of 64 bits of state and an adder per lane. A call of :meth:`next` gives the top
    ``random_bits`` bits of ``s0 + s1`` modulo ``2**32``, whose low bits are the weak ones, then
    steps with a, b, c = 26, 9, 13: ``s1 ^= s0``, ``s0 = rotl(s0, a) ^ s1 ^ (s1 << b)``,
    ``s1 = rotl(s1, c)``.

    Parameters
    ----------
    seeds : sequence of int
        State of each lane before its first output, 64 bits: ``s1`` in the upper and ``s0`` in the
        lower half. Zero means 1, ``s0 = 1`` and ``s1 = 0``.
    random_bits : int, 1..16
        R, bits per lane and call.

    Attributes
    ----------
    s0, s1 : array of uint64, shape ``(lanes,)``
        State that the next output is taken from.

    Notes
    -----
    The period is ``2**64 - 1``. The step is that of the published xoroshiro64* and xoroshiro64**,
    whose scramblers multiply; the addition needs no multiplier.

    Raises
    ------
    ValueError
        If ``random_bits`` or a seed is out of range, or there is no seed.

    References
    ----------
    D. Blackman and S. Vigna, "Scrambled linear pseudorandom number generators", ACM Trans. Math.
    Softw. 47 (2021), https://prng.di.unimi.it.
    """

    WORD_BITS = 32
    A, B, C = 26, 9, 13

    def __init__(self, seeds: Sequence[int], *, random_bits: int = 8):
        self.random_bits = _checked_random_bits(random_bits)
        self.seed(seeds)

    def seed(self, seeds: Sequence[int]) -> None:
        """Set the state of every lane."""
        states = _checked_states(seeds, 2 * self.WORD_BITS)
        mask = (1 << self.WORD_BITS) - 1
        self.s0 = np.array([state & mask for state in states], np.uint64)
        self.s1 = np.array([state >> self.WORD_BITS for state in states], np.uint64)

    def next(self) -> NDArray[np.uint64]:
        """Return R bits of the sum of every lane, shape ``(lanes,)``, and step."""
        width, mask = np.uint64(self.WORD_BITS), np.uint64((1 << self.WORD_BITS) - 1)

        def rotate(word: NDArray[np.uint64], by: int) -> NDArray[np.uint64]:
            return ((word << np.uint64(by)) | (word >> width - np.uint64(by))) & mask

        total = (self.s0 + self.s1) & mask
        mixed = self.s0 ^ self.s1
        self.s0 = rotate(self.s0, self.A) ^ mixed ^ ((mixed << np.uint64(self.B)) & mask)
        self.s1 = rotate(mixed, self.C)
        return total >> width - np.uint64(self.random_bits)


def _checked_random_bits(random_bits: int) -> int:
    if not 1 <= random_bits <= MAX_RANDOM_BITS:
        raise ValueError(f"random_bits must be in 1..{MAX_RANDOM_BITS}, not {random_bits}")
    return random_bits


def _checked_states(seeds: Sequence[int], width: int) -> list[int]:
    if len(seeds) < 1:
        raise ValueError("a generator needs the seed of at least one lane")
    if any(not 0 <= seed < 1 << width for seed in seeds):
        raise ValueError(f"a seed must be in 0..2**{width}-1")
    return [int(seed) or ZERO_STATE_SUBSTITUTE for seed in seeds]
