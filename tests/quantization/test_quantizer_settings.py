"""Settings by message: the host's side, and a quantizer that obeys."""

import numpy as np
import pytest

from sluice.quantization import FakeQuantize, QuantizerSettings
from sluice.quantization.messages import Code, Indication, Method, Reply
from sluice.tensors import beats_of
from sluice_sim.golden.quantization import answer
from sluice_sim.play import play


def bits_of(number: np.floating) -> int:
    return int(number.astype(np.float32).view(np.uint32))


def indication(sequence: int, **changes: int) -> Indication:
    scale = np.float32(0.1)
    values = {"scale": bits_of(scale), "inv_scale": bits_of(np.float32(1) / scale), **changes}
    return Indication(sequence, target=3, strategy=9, **values)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, Code.ACCEPTED),
        ({"version": 2}, Code.VERSION),
        ({"method": 3}, Code.METHOD),
        ({"bits": 0}, Code.BITS),
        ({"bits": 17}, Code.BITS),
        ({"bits": 1, "zero_point": -1}, Code.ACCEPTED),
        ({"bits": 1, "zero_point": 1}, Code.ZERO_POINT),
        ({"bits": 16, "method": Method.UNSIGNED, "zero_point": 65535}, Code.ACCEPTED),
        ({"scale": 0}, Code.SCALE),
        ({"inv_scale": 0x7F800000}, Code.SCALE),
    ],
)
def test_messages_of_the_host_are_answered(changes, code):
    (reply,), (shown,) = answer([indication(5, **changes).pack()], target=3)
    found = Reply.unpack(reply)
    assert found == Reply(5, code, 9 if code is Code.ACCEPTED else 0)
    assert bool(shown["bypass"]) is (code is not Code.ACCEPTED)


def test_damaged_reply_is_no_reply():
    (reply,), _ = answer([indication(5).pack()], target=3)
    for damaged in (reply[:-1], bytes([reply[0] ^ 1]) + reply[1:], b""):
        with pytest.raises(ValueError, match="damaged"):
            Reply.unpack(damaged)


def test_lost_reply():
    """Sent again, an indication is accepted again, and what came between it and its copy stays."""
    one, other = indication(1), indication(2, bits=4)
    replies, shown = answer([one.pack(), other.pack(), other.pack()], target=3)
    assert replies[1] == replies[2]
    assert shown[1] is shown[2]


def test_settings_fit_the_quantizer():
    block, quantizer = QuantizerSettings(target=3), FakeQuantize()
    assert block.settings.shape() == quantizer.config.shape()
    messages = [indication(1, bits=4).pack(), b"\1\2", indication(2, bits=17).pack()]
    words = [
        word
        for message in messages
        for word in beats_of(np.frombuffer(message, np.uint8).astype(np.uint64), block.bytes_beat)
    ]
    played = play(block, {"i": [], "message": words}, {"o": 0, "reply": 24}, limit=1000)
    sent = bytes(word & 0xFF for word in played.words["reply"])
    found = [Reply.unpack(sent[k : k + 8]) for k in (0, 8, 16)]
    assert found == [Reply(1, Code.ACCEPTED, 9), Reply(0, Code.LENGTH, 9), Reply(2, Code.BITS, 9)]
