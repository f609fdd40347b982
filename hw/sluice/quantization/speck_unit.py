"""Speck32/64: the datapath."""

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from sluice.arith.flow import Flow

__all__ = ["KEY_BITS", "TEXT_BITS", "SpeckUnit"]

KEY_BITS, TEXT_BITS = 64, 32
ROUNDS = 22
_WORD, _DOWN, _UP = 16, 7, 2


class SpeckUnit(wiring.Component):
    """Encrypt ``words`` words of 32 bits with one key; as many per cycle, no handshake.

    Parameters
    ----------
    words : int
        That are encrypted side by side. Keys of the rounds are made once for all of them.
    stages : int
        Registers between words and results; as many as there are rounds if those are fewer.

    Members
    -------
    a : In(ArrayLayout(32, words))
        With the upper half of the text, x of the publication, in the upper half of a word.
    key : In(64)
        With its last word, which is the key of the first round, in the lowest bits. May be another
        one every cycle.
    o : Out(ArrayLayout(32, words))
        ``latency`` cycles later.

    Notes
    -----
    Method: R. Beaulieu et al., The SIMON and SPECK Families of Lightweight Block Ciphers, 2013.
    """

    a: Any
    key: Signal
    o: Any
    steps = ROUNDS

    def __init__(self, *, words: int, stages: int):
        self.words = words
        self.latency = min(stages, self.steps)
        shape = data.ArrayLayout(TEXT_BITS, words)
        super().__init__({"a": In(shape), "key": In(KEY_BITS), "o": Out(shape)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        flow: Any = Flow(m, steps=self.steps, stages=self.latency)
        for k in range(self.words):
            setattr(flow, f"text_{k}", self.a[k])
        flow.round_key, flow.others = self.key[:_WORD], self.key[_WORD:]
        for number in range(ROUNDS):
            for k in range(self.words):
                setattr(flow, f"text_{k}", _round(getattr(flow, f"text_{k}"), flow.round_key))
            # The same round, with its number as the key, makes the key of the next one.
            text = _round(Cat(flow.round_key, flow.others[:_WORD]), number)
            flow.others = Cat(flow.others[_WORD:], text[_WORD:])
            flow.round_key = text[:_WORD]
            flow.step()
        m.d.comb += self.o.eq(Cat(getattr(flow, f"text_{k}") for k in range(self.words)))
        return m


def _round(text: Value, key: Value | int) -> Value:
    """Return what a round makes of two words."""
    low, high = text[:_WORD], text[_WORD:]
    high = (high.rotate_right(_DOWN) + low)[:_WORD] ^ key
    return Cat(low.rotate_left(_UP) ^ high, high)
