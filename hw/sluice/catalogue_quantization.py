"""The quantization blocks of the catalogue."""

from sluice.entry import Entry

__all__ = ["QUANTIZATION"]

QUANTIZATION = (
    Entry(
        "fake_quantize",
        "sluice.quantization:FakeQuantize",
        "quantize numbers and take them back, and say which were in the range",
        group="quantization",
        systems=("B3", "B7"),
        bench="sluice_sim.bench.quantization:FakeQuantizeBench",
        proof="sluice_sim.formal.quantization:prove_fake_quantize",
        golden="sluice_sim.golden.quantization:fake_quantize",
        cases=(
            {"lanes": 1, "stages": 0},
            {"lanes": 3, "stages": 1},
            {"lanes": 2, "stages": 13},
        ),
        proofs=({"lanes": 1, "stages": 1},),
        mutants={"lanes": 1, "stages": 6},
    ),
    Entry(
        "block_selector",
        "sluice.quantization:BlockSelector",
        "choose some blocks at random, and the same ones whenever they are asked for",
        group="quantization",
        systems=("B3",),
        bench="sluice_sim.bench.quantization:BlockSelectorBench",
        proof="sluice_sim.formal.quantization:prove_block_selector",
        golden="sluice_sim.golden.quantization:select_blocks",
        presets={"default": {}, "mask": {"element": "bit"}},
        cases=(
            {"element": "bit", "lanes": 1, "block": 1, "stages": 0},
            {"element": "int8", "lanes": 8, "block": 1, "stages": 3},
            {"element": "uint4", "lanes": 2, "block": 1, "stages": 5},
            {"element": "bf16", "lanes": 16, "block": 2, "stages": 12},
            {"element": "int4", "lanes": 4, "block": 64, "stages": 1},
        ),
        proofs=({"element": "bit", "lanes": 2, "block": 2, "stages": 1},),
        mutants={"element": "int4", "lanes": 2, "block": 1, "stages": 2},
    ),
    Entry(
        "quantizer_settings",
        "sluice.quantization:QuantizerSettings",
        "take a quantizer's settings from messages, and change them between packets",
        group="quantization",
        systems=("B7",),
        bench="sluice_sim.bench.quantizer_settings:QuantizerSettingsBench",
        proof="sluice_sim.formal.quantization:prove_quantizer_settings",
        golden="sluice_sim.golden.quantization:answer",
        cases=({"shape": "bitx1", "target": 255}, {"shape": "bf16x3", "target": 1}),
        proofs=({"shape": "bitx1"},),
        mutants={"shape": "bitx1", "target": 5},
    ),
)
