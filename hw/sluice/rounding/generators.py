"""Generators of random bits, one state per lane."""

from typing import ClassVar

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


class LfsrLane:
    """A 32-bit shift register with taps 32, 22, 2 and 1 that makes 16 shifts per beat.

    Parameters
    ----------
    m : Module
    step : Value
        Leap in this cycle.
    load, seed : Value
        Take ``seed`` for the state in this cycle, rather than leap.
    init : int
        State after reset.

    Attributes
    ----------
    bits : Value
        The low ``random_bits`` bits of the state.
    """

    WIDTH: ClassVar = 32
    LEAP: ClassVar = 16

    def __init__(
        self, m: Module, *, random_bits: int, step: Value, load: Value, seed: Value, init: int
    ):
        state = Signal(self.WIDTH, init=init or ZERO_STATE_SUBSTITUTE, name="lfsr")
        fed: list[Value] = []
        # Two taps are the bits fed in just before. Putting in what those are made of leaves the
        # bit fed in three shifts earlier, and sums of four bits that have few levels.
        upper = [state[31 - k] ^ state[21 - k] for k in range(self.LEAP)]
        for k in range(self.LEAP):
            before = upper[k - 1] if k else state[1]
            fed.append((upper[k] ^ before) ^ (fed[k - 3] if k > 2 else state[(0, 1, 0)[k]]))
        with m.If(step | load):
            leapt = Cat(*reversed(fed), state[: self.LEAP])
            m.d.sync += state.eq(Mux(load, seed, leapt))
        self.bits: Value = state[:random_bits]


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


GENERATORS: dict[str, type[LfsrLane] | type[XoroshiroLane]] = {
    "lfsr": LfsrLane,
    "xoroshiro": XoroshiroLane,
}
