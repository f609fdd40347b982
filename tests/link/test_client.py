"""The client against a simulated device, over a line that loses and damages bytes."""

import random

import pytest

from sluice.catalogue import RequestError, find_block
from sluice.link import Client, LinkError, digest_of
from sluice_sim.bench.spec import beats
from sluice_sim.device import SimulatedDevice


class Noisy:
    """A port that drops or flips one byte in ``every``, on both ways."""

    def __init__(self, wire, every: int):
        self.wire, self.every, self.rng = wire, every, random.Random(1)
        self.harm = 0

    def __getattr__(self, name):
        return getattr(self.wire, name)

    def __setattr__(self, name, value):
        if name == "timeout":
            self.wire.timeout = value
        super().__setattr__(name, value)

    def damage(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            if self.rng.random() < 1 / self.every:
                self.harm += 1
                if self.rng.random() < 0.5:
                    continue
                byte ^= 1 << self.rng.randrange(8)
            out.append(byte)
        return bytes(out)

    def write(self, data: bytes) -> None:
        self.wire.write(self.damage(data))

    def read(self, size: int) -> bytes:
        return self.damage(self.wire.read(size))


@pytest.fixture(scope="module")
def device():
    with SimulatedDevice(find_block("demux"), {"shape": "int8x3", "outputs": 2}) as device:
        yield device


def packets(beat, rng, count):
    """Return random packets of every length, the empty one too."""
    return [[rng.randrange(256) for _ in range(rng.randrange(9))] for _ in range(count)]


@pytest.mark.parametrize("every", [0, 400], ids=["clean", "noisy"])
def test_exchange(device, every, monkeypatch):
    """Every packet reaches the output that its settings name, whatever the line does."""
    beat, rng = device.block.shape, random.Random(7)
    words, expected = [], {0: [], 1: []}
    for packet in packets(beat, rng, 60):
        select = rng.randrange(2)
        payloads = beats(beat, packet)
        words += [(word, select) for word in payloads]
        expected[select] += payloads
    client = Client(device.port, digest=digest_of(device.block), timeout=1.0, retries=20)
    noisy = []
    if every:
        plain = client._open

        def opened():
            noisy.append(Noisy(plain(), every))
            return noisy[0]

        monkeypatch.setattr(client, "_open", opened)
    with client:
        client.reset()
        got = client.exchange({0: words}, {0: None, 1: None})
        assert got == expected
        status = client.status()
    assert status.bits == 0
    assert status.inputs == (len(words),)
    assert status.outputs == (len(expected[0]), len(expected[1]))
    assert not every or noisy[0].harm > 5


def test_exchange_of_counted_packets(device):
    """What comes after the packets asked for is there for the next exchange."""
    beat = device.block.shape
    words = [(w, 1) for k in range(4) for w in beats(beat, [k] * 4)]
    with Client(device.port) as client:
        client.reset()
        first = client.exchange({0: words}, {1: 3})[1]
        rest = client.exchange({}, {1: 1})[1]
    assert first + rest == [w for w, _ in words]
    assert len(rest) == 2


def test_block_that_gives_nothing(device):
    with Client(device.port, timeout=0.3) as client:
        client.reset()
        with pytest.raises(LinkError, match=r"nothing moves after 2 of 2 beats in and 0 of stream"):
            client.exchange({0: [(w, 0) for w in beats(device.block.shape, [1] * 4)]}, {1: 1})
        client.reset()


def test_full_queues_are_waited_for(device):
    with Client(device.port, timeout=0.3) as client:
        client.reset()
        client.configure(1)
        word = beats(device.block.shape, [1])[0]
        with pytest.raises(LinkError, match="pull its outputs"):
            client.push(0, [word] * 1000)
        client.reset()
        assert client.pull(0, 10) == []


def test_another_block(device):
    wrong = digest_of(find_block("demux").make(shape="int8x3", outputs=3))
    with pytest.raises(LinkError, match="another block or other parameters"):
        Client(device.port, digest=wrong).__enter__()


def test_no_such_port():
    with pytest.raises(RequestError, match="/dev/none"):
        Client("/dev/none").__enter__()


def test_closed_client(device):
    client = Client(device.port)
    with pytest.raises(LinkError, match="not open"):
        client.status()


def test_nobody_answers():
    import os

    ours, theirs = os.openpty()
    try:
        with pytest.raises(LinkError, match="no answer to IDENTIFY in 2 attempts"):
            Client(os.ttyname(theirs), timeout=0.05, retries=1).__enter__()
    finally:
        os.close(ours)
        os.close(theirs)
