"""Which blocks are chosen: the cipher's published vector, the share, and the same ones again."""

import numpy as np
import pytest

from sluice.quantization import BlockSelector
from sluice.quantization.speck_unit import SpeckUnit
from sluice.registers import pack_fields
from sluice.tensors import beats_of, rows_of
from sluice_sim.golden.quantization import encrypt, select_blocks
from sluice_sim.play import play

# R. Beaulieu et al., 2013, appendix C.
KEY, TEXT, CIPHER = 0x1918_1110_0908_0100, 0x6574_694C, 0xA868_42F2


def test_golden_gives_the_published_vector():
    assert encrypt(TEXT, key=KEY) == CIPHER


def test_golden_is_a_permutation():
    texts = np.arange(1 << 16, dtype=np.uint64)
    assert np.unique(encrypt(texts, key=KEY)).size == texts.size


@pytest.mark.parametrize("threshold", [0, 1, 26, 128, 255, 256])
def test_share_of_blocks(threshold):
    """It is that of the binomial distribution, within five times its deviation."""
    count, block = 40000, 4
    chosen = select_blocks(count * block, key=KEY, start=7, threshold=threshold, block=block)
    blocks = chosen.reshape(count, block)
    assert (blocks.all(1) == blocks.any(1)).all()
    p = threshold / 256
    assert abs(blocks[:, 0].sum() - count * p) <= 5 * np.sqrt(count * p * (1 - p))


def test_another_start_chooses_others():
    """Half of the blocks are chosen by one of two steps, and not by the other."""
    one, other = (
        select_blocks(10000, key=KEY, start=start, threshold=128, block=1) for start in (0, 2500)
    )
    assert 4700 < (one ^ other).sum() < 5300


@pytest.mark.parametrize("stages", [0, 3, SpeckUnit.steps])
def test_unit_gives_the_published_vector(stages):
    from amaranth.sim import Simulator

    unit = SpeckUnit(words=2, stages=stages)
    simulator = Simulator(unit)

    async def check(ctx) -> None:
        ctx.set(unit.key, KEY)
        ctx.set(unit.a[1], TEXT)
        if stages:
            await ctx.tick().repeat(stages)
        else:
            await ctx.delay(1e-9)
        assert ctx.get(unit.o[1]) == CIPHER
        assert ctx.get(unit.o[0]) == int(encrypt(0, key=KEY))

    if stages:
        simulator.add_clock(1e-6)
    simulator.add_testbench(check)
    simulator.run()


@pytest.mark.parametrize("lanes", [2, 8])
def test_blocks_are_the_same_backwards(lanes):
    """Masks of gradients are chosen as weights are, also with other lanes."""
    size, config = 50, {"key": KEY, "start": 3, "threshold": 90}
    forward = select_blocks(size, block=4, **config)
    block = BlockSelector(element="bit", lanes=lanes, block=4, stages=2)
    masks = np.random.default_rng(1).integers(0, 2, size, dtype=np.uint64)
    inputs = {
        "i": list(beats_of(np.ones(size, np.uint64), block.beat)),
        "q": list(beats_of(masks, block.beat)),
    }
    settings = {"config": pack_fields(block.config.shape(), config)}
    played = play(block, inputs, {"o": len(inputs["i"])}, limit=1000, settings=settings)
    passed = rows_of(played.words["o"], block.beat)[0]
    assert (passed == np.where(forward, masks, 1)).all()
