"""Every public block by name: one place to register a block.

The command line, the tests, the datasheets and the measurements iterate over ``CATALOGUE``.
Entries name their classes and models as ``module:attribute``, so that reading the list imports none
of them.
"""

import difflib
from typing import Any

from sluice.catalogue_arith import ARITH
from sluice.catalogue_array import ARRAY
from sluice.catalogue_compression import COMPRESSION
from sluice.catalogue_optimizer import OPTIMIZER
from sluice.catalogue_quantization import QUANTIZATION
from sluice.catalogue_sparse import SPARSE
from sluice.catalogue_sparsity import SPARSITY
from sluice.entry import DEFAULTS, FPGA_ONLY, Entry, RequestError, load

__all__ = ["CATALOGUE", "Entry", "RequestError", "find_block", "load"]


def _stream(name: str, cls: str, summary: str, **more: Any) -> Entry:
    return Entry(
        name,
        f"sluice.stream:{cls}",
        summary,
        group="stream",
        bench=f"sluice_sim.bench.streams:{cls}Bench",
        proof=f"sluice_sim.formal.streams:prove_{name}",
        **more,
    )


_SMALL, _ODD = {"shape": "bitx1"}, {"shape": "int4x3"}

_ENTRIES = (
    _stream(
        "register_slice",
        "RegisterSlice",
        "one register between two streams",
        cases=(_SMALL, _ODD),
        proofs=({"shape": "bitx2"},),
        mutants={"shape": "int4x2"},
    ),
    _stream(
        "skid_buffer",
        "SkidBuffer",
        "two places between two streams, ready registered",
        cases=(_SMALL, _ODD),
        proofs=({"shape": "bitx2"},),
        mutants={"shape": "int4x2"},
    ),
    _stream(
        "fifo",
        "Fifo",
        "queue in memory, any depth",
        cases=(
            {"shape": "bitx1", "depth": 1},
            {"shape": "int4x3", "depth": 2},
            {"shape": "fp32x2", "depth": 3},
            {"shape": "int8x4", "depth": 100},
            {"shape": "int4x3", "depth": 1, "read_ahead": True},
            {"shape": "int8x4", "depth": 6, "read_ahead": True},
            {"shape": "int8x4", "depth": 7, "read_ahead": True, "wide": True},
        ),
        proofs=tuple(
            {"shape": "bitx1", "depth": depth, "read_ahead": ahead, "wide": wide}
            for depth in (1, 3)
            for ahead, wide in ((False, False), (True, False), (True, True))
        ),
        mutants={"shape": "int4x2", "depth": 5},
    ),
    _stream(
        "fork",
        "Fork",
        "every beat to every output, each at its own pace",
        cases=({"shape": "bitx1", "outputs": 1}, {"shape": "int4x3", "outputs": 5}),
        proofs=({"shape": "bitx2", "outputs": 3},),
        mutants={"shape": "int4x2", "outputs": 3},
    ),
    _stream(
        "join",
        "Join",
        "one beat of each input, side by side",
        cases=({"shape": "bitx1", "inputs": 1}, {"shape": "int4x3", "inputs": 5}),
        proofs=({"shape": "bitx2", "inputs": 3},),
        mutants={"shape": "int4x2", "inputs": 3},
    ),
    _stream(
        "arbiter",
        "Arbiter",
        "several streams take turns on one, round robin or by priority",
        presets={"default": {}, "priority": {"policy": "priority"}},
        cases=(
            {"shape": "int4x1", "inputs": 1},
            {"shape": "int4x3", "inputs": 5, "packets": False},
            {"shape": "int8x1", "inputs": 3, "packets": False, "policy": "priority"},
        ),
        proofs=(
            {"shape": "bitx2", "inputs": 3},
            {"shape": "bitx2", "inputs": 3, "policy": "priority", "packets": False},
        ),
        mutants={"shape": "int4x2", "inputs": 3},
    ),
    _stream(
        "demux",
        "Demux",
        "each packet to the output that the settings name",
        cases=({"shape": "bitx1", "outputs": 1}, {"shape": "int4x3", "outputs": 5}),
        proofs=({"shape": "bitx2", "outputs": 3},),
        mutants={"shape": "int4x2", "outputs": 3},
    ),
    _stream(
        "widen",
        "Widen",
        "gather narrow beats into wide ones",
        cases=({"shape": "bitx1", "ratio": 1}, {"shape": "int4x3", "ratio": 5}),
        proofs=({"shape": "bitx2", "ratio": 3},),
        mutants={"shape": "int4x2", "ratio": 3},
    ),
    _stream(
        "narrow",
        "Narrow",
        "send wide beats as narrow ones",
        cases=({"shape": "bitx1", "ratio": 1}, {"shape": "int4x3", "ratio": 5}),
        proofs=({"shape": "bitx2", "ratio": 3},),
        mutants={"shape": "int4x2", "ratio": 3},
    ),
    _stream(
        "repack",
        "Repack",
        "cut the bits of a packet into elements of another width",
        golden="sluice_sim.golden.repack:repack",
        presets={
            "default": {},
            "pack": {"i_shape": "uint7x8", "o_shape": "uint8x8"},
        },
        cases=(
            {"i_shape": "bitx1", "o_shape": "bitx1"},
            {"i_shape": "uint8x1", "o_shape": "uint3x5"},
            {"i_shape": "uint8x16", "o_shape": "int4x3"},
            {"i_shape": "uint5x3", "o_shape": "uint8x8"},
            {"i_shape": "uint8x4", "o_shape": "bf16x1"},
            {"i_shape": "fp32x1", "o_shape": "uint8x2"},
        ),
        proofs=(
            {"i_shape": "bitx2", "o_shape": "bitx3"},
            {"i_shape": "bitx3", "o_shape": "bitx2"},
        ),
        mutants={"i_shape": "uint3x2", "o_shape": "uint4x2"},
        measured=(*FPGA_ONLY, ("pack", "ecp5-85k")),
    ),
    _stream(
        "packet_counter",
        "PacketCounter",
        "count beats, packets and stalls of a stream",
        cases=({"shape": "bitx1", "width": 1}, {"shape": "int4x3", "width": 5}),
        proofs=({"shape": "bitx2", "width": 4},),
        mutants={"shape": "int4x2", "width": 4},
    ),
    _stream(
        "packet_splitter",
        "PacketSplitter",
        "end a packet after so many beats",
        cases=({"shape": "bitx1", "max_beats": 1}, {"shape": "int4x3", "max_beats": 5}),
        proofs=({"shape": "bitx2", "max_beats": 3},),
        mutants={"shape": "int4x2", "max_beats": 5},
    ),
    _stream(
        "axi_stream_slave",
        "AxiStreamSlave",
        "AXI4-Stream in, beats out",
        cases=({"shape": "bitx1"}, {"shape": "tf32x3"}),
        proofs=({"shape": "int16x2"},),
        mutants={"shape": "int16x2"},
    ),
    _stream(
        "axi_stream_master",
        "AxiStreamMaster",
        "beats in, AXI4-Stream out",
        cases=({"shape": "bitx1"}, {"shape": "tf32x3"}),
        proofs=({"shape": "int4x2"},),
        mutants={"shape": "int16x2"},
    ),
    Entry(
        "masking",
        "sluice.masking:Masking",
        "replace masked elements; masks generated from indices or read from a stream",
        group="masking",
        systems=("M4",),
        golden="sluice_sim.golden.masking:mask_rows",
        bench="sluice_sim.bench.masking:MaskingBench",
        proof="sluice_sim.formal.masking:prove_masking",
        presets={
            "default": {},
            "full": {"segments": 8, "external": True, "mask_output": True},
            "small": {"element": "int8", "lanes": 2, "terms": 1, "index_bits": 8},
        },
        cases=(
            {"element": "int4", "lanes": 1, "terms": 1, "index_bits": 4},
            {"element": "fp8_e4m3", "lanes": 3, "terms": 3, "segments": 3, "index_bits": 6},
            {"element": "fp32", "lanes": 5, "external": True, "mask_ratio": 1, "terms": 1},
            {"element": "fp16", "lanes": 4, "external": True, "mask_ratio": 8, "segments": 1},
            {"element": "bf16", "lanes": 7, "mask_output": True, "terms": 4, "index_bits": 4},
            {"element": "int8", "lanes": 4, "kinds": "lower"},
            {"element": "int8", "lanes": 4, "kinds": "upper,columns", "terms": 3, "segments": 2},
            {"element": "int8", "lanes": 2, "kinds": "rows", "terms": 1, "index_bits": 6},
            {"element": "int8", "lanes": 8, "kinds": "", "external": True, "mask_ratio": 2},
        ),
        proofs=(
            {"element": "uint4", "lanes": 2, "terms": 1, "index_bits": 4},
            {
                "element": "uint4",
                "lanes": 2,
                "terms": 1,
                "index_bits": 4,
                "external": True,
                "mask_ratio": 1,
            },
        ),
        slow=("proof1",),
        mutants={"element": "int4", "lanes": 2, "terms": 2, "index_bits": 5, "segments": 2},
        measured=(*DEFAULTS, ("full", "ecp5-85k"), ("small", "up5k")),
    ),
    Entry(
        "row_merge",
        "sluice.masking:RowMerge",
        "merge rows of a triangular matrix two by two, so that no lane is masked",
        group="masking",
        systems=("M4",),
        golden="sluice_sim.golden.row_merge:merge_rows",
        bench="sluice_sim.bench.row_merge:RowMergeBench",
        proof="sluice_sim.formal.row_merge:prove_row_merge",
        presets={
            "default": {},
            "small": {"element": "int8", "lanes": 2, "index_bits": 8},
        },
        cases=(
            {"element": "int4", "lanes": 1, "index_bits": 2},
            {"element": "fp8_e4m3", "lanes": 3, "index_bits": 6},
            {"element": "fp32", "lanes": 5, "index_bits": 24},
            {"element": "fp16", "lanes": 16, "index_bits": 5},
        ),
        proofs=(
            {"element": "uint4", "lanes": 1, "index_bits": 2},
            {"element": "uint4", "lanes": 2, "index_bits": 2},
        ),
        slow=("proof1",),
        mutants={"element": "int4", "lanes": 2, "index_bits": 4},
    ),
    Entry(
        "rounding",
        "sluice.rounding:Rounding",
        "round to a narrower format: to nearest, towards zero, by own bits or random bits",
        group="rounding",
        systems=("N1",),
        golden="sluice_sim.golden.rounding:round_bits",
        bench="sluice_sim.bench.rounding:RoundingBench",
        proof="sluice_sim.formal.rounding:prove_rounding",
        presets={
            "default": {},
            "own_bits": {"modes": "own_bits", "saturation": False, "status_bits": False},
            "small": {"lanes": 2, "modes": "nearest_even,own_bits"},
            "fp16": {"target": "fp16", "lanes": 4},
            "fp8_e4m3": {"target": "fp8_e4m3", "lanes": 4},
            "fp8_e5m2": {"target": "fp8_e5m2", "lanes": 4},
            "int8": {"source": "fixed32.16", "target": "int8", "lanes": 4},
        },
        cases=(
            {"target": "tf32", "lanes": 1, "random_bits": 1, "saturation": False},
            {"target": "tf32", "lanes": 3, "random_bits": 16, "position": 7},
            {"lanes": 2, "random_bits": 4, "modes": "own_bits", "status_bits": False},
            {"lanes": 2, "modes": "nearest_even", "generator": "xoroshiro"},
            {"lanes": 3, "modes": "towards_zero,generator", "generator": "xoroshiro"},
            {"source": "fp16", "target": "fp8_e4m3", "lanes": 16, "random_bits": 5},
            {"source": "fp16", "target": "fp8_e5m2", "lanes": 16, "random_bits": 10},
            {"source": "bf16", "target": "fp8_e5m2", "lanes": 4, "random_bits": 3, "position": 4},
            {"source": "bf16", "target": "fp8_e4m3", "lanes": 4, "random_bits": 7},
            {"source": "bf16", "target": "int8", "lanes": 4, "random_bits": 4},
            {"source": "int32", "target": "int4", "lanes": 1, "random_bits": 1, "position": 30},
            {"source": "int32", "target": "fp16", "lanes": 2, "random_bits": 12},
            {"source": "int32", "target": "bf16", "lanes": 2, "generator": "xoroshiro"},
            {"source": "fixed16.8", "target": "fp8_e4m3", "lanes": 4},
            {"source": "fixed16.16", "target": "fp8_e4m3", "lanes": 5, "random_bits": 15},
            {"source": "fixed32.32", "target": "fp8_e5m2", "lanes": 1, "random_bits": 16},
            {"source": "int16", "target": "fixed12.4", "lanes": 2, "random_bits": 6},
            {"target": "fixed16.12", "lanes": 2, "random_bits": 16},
            {"source": "fp16", "target": "fixed2.0", "lanes": 1, "random_bits": 1},
        ),
        proofs=(
            {
                "source": "fp16",
                "target": "fp8_e5m2",
                "lanes": 1,
                "random_bits": 2,
                "saturation": False,
            },
        ),
        mutants={"source": "fp16", "target": "fp8_e5m2", "lanes": 1, "random_bits": 4},
        measured=(
            *DEFAULTS,
            ("own_bits", "ecp5-85k"),
            ("fp8_e4m3", "ecp5-85k"),
            ("small", "up5k"),
        ),
    ),
    *ARITH,
    *ARRAY,
    *SPARSITY,
    *SPARSE,
    *COMPRESSION,
    *QUANTIZATION,
    *OPTIMIZER,
)

CATALOGUE: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}


def find_block(name: str) -> Entry:
    """Return the entry called ``name``, or raise :class:`RequestError` with the near misses."""
    if name not in CATALOGUE:
        near = difflib.get_close_matches(name.replace("-", "_"), CATALOGUE, 1)
        hint = f" did you mean {near[0]}?" if near else ""
        raise RequestError(f"no block {name!r};{hint} `sluice list` prints all {len(CATALOGUE)}")
    return CATALOGUE[name]
