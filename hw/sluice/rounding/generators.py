"""Generators of random bits, one state per lane."""

from collections.abc import Sequence
from functools import reduce
from operator import xor
from typing import Any, ClassVar

from amaranth import Cat, Module, Mux, Signal, Value

__all__ = ["GENERATORS", "LfsrLane", "XoroshiroLane", "default_seeds"]

# A state of all zeros never leaves zero.
ZERO_STATE_SUBSTITUTE = 1


def default_seeds(lanes: int, width: int, seed: int = 0) -> list[int]:
    """Return a state of ``width`` bits per lane, all different (SplitMix64 from ``seed``)."""
    mask = (1 << 64) - 1
    states = []
    for lane in range(lanes):
        z = seed + (lane + 1) * 0x9E3779B97F4A7C15 & mask
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        states.append((z ^ z >> 31) >> (64 - width))
    return states


def seed_or_substitute(seed: Value) -> Value:
    """Return the state that ``seed`` stands for."""
    # The bits of a zero seed are zero already, so only the ones of the substitute cost anything.
    zero = ~seed.any()
    return Cat(
        seed[k] | zero if ZERO_STATE_SUBSTITUTE >> k & 1 else seed[k] for k in range(len(seed))
    )


def _fed(state: Sequence[Any], leap: int) -> list[Any]:
    """Return what ``leap`` shifts feed into ``state``, of bits or numbers, the latest one first.

    A ``None`` among the bits counts as zero.
    """
    sums: list[frozenset[int]] = [frozenset([k]) for k in range(len(state))]
    for _ in range(leap):
        sums = [sums[31] ^ sums[21] ^ sums[1] ^ sums[0], *sums[:-1]]
    return [
        reduce(xor, (state[k] for k in sorted(taps) if state[k] is not None), 0)
        for taps in sums[:leap]
    ]


class LfsrLane:
    """A 32-bit shift register with taps 32, 22, 2 and 1 that makes 16 shifts per beat.

    Sixteen shifts replace the high half by the low one, and the low half by sums of bits of both.
    What the low half will add to those sums when it has become the high half is known a beat
    early, so it is kept in place of the high half: a sum has ten bits at most.

    Parameters
    ----------
    m : Module
    step : Value
        Leap in this cycle.
    load, seed : Value
        Take ``seed``, as :meth:`prepare` gives it, in this cycle, rather than leap.
    init : int
        State after reset.

    Attributes
    ----------
    bits : Value
        The low ``random_bits`` bits of the state.
    """

    WIDTH: ClassVar = 32
    HALF: ClassVar = 16

    def __init__(
        self, m: Module, *, random_bits: int, step: Value, load: Value, seed: Value, init: int
    ):
        start = [(init or ZERO_STATE_SUBSTITUTE) >> k & 1 for k in range(self.WIDTH)]
        words = (start[: self.HALF], self.from_high(start[self.HALF :]))
        low, added = (
            Signal(self.HALF, init=sum(bit << k for k, bit in enumerate(word)), name=name)
            for name, word in zip(("low", "added"), words, strict=True)
        )
        from_low = _fed([*low, *[None] * self.HALF], self.HALF)
        with m.If(step | load):
            m.d.sync += [
                low.eq(Mux(load, seed[: self.HALF], Cat(from_low) ^ added)),
                added.eq(Mux(load, seed[self.HALF :], Cat(self.from_high(list(low))))),
            ]
        self.bits: Value = low[:random_bits]

    @classmethod
    def from_high(cls, high: Sequence[Any]) -> list[Any]:
        """Return what the bits of the high half add to the sums."""
        return _fed([*[None] * cls.HALF, *high], cls.HALF)

    @classmethod
    def prepare(cls, seed: Value) -> Value:
        """Return what must be loaded for the state ``seed``."""
        return Cat(seed[: cls.HALF], *cls.from_high(list(seed[cls.HALF :])))


class XoroshiroLane:
    """xoroshiro64 with the ``+`` scrambler, in two words of 32 bits.

    Parameters and attributes are those of :class:`LfsrLane`; ``bits`` are the top bits of the sum
    of both words.
    """

    WIDTH: ClassVar = 64
    CONSTANTS: ClassVar = (26, 9, 13)

    def __init__(
        self, m: Module, *, random_bits: int, step: Value, load: Value, seed: Value, init: int
    ):
        word = self.WIDTH // 2
        state = Signal(self.WIDTH, init=init or ZERO_STATE_SUBSTITUTE, name="xoroshiro")
        a, b, c = self.CONSTANTS
        s0, s1 = state[:word], state[word:]
        mixed = s0 ^ s1
        new_0 = s0.rotate_left(a) ^ mixed ^ (mixed << b)[:word]
        with m.If(step | load):
            m.d.sync += state.eq(Mux(load, seed, Cat(new_0, mixed.rotate_left(c))))
        self.bits: Value = (s0 + s1)[word - random_bits : word]

    @staticmethod
    def prepare(seed: Value) -> Value:
        """Return what must be loaded for the state ``seed``."""
        return seed


GENERATORS: dict[str, type[LfsrLane] | type[XoroshiroLane]] = {
    "lfsr": LfsrLane,
    "xoroshiro": XoroshiroLane,
}
