"""Every block of the catalogue: parameters, elaboration, benches, proofs, exports."""

import re
from typing import Any

import pytest

from sluice.catalogue import CATALOGUE, RequestError, find_block, load
from sluice.export import to_verilog
from sluice.params import Choice, Flag, Int
from sluice.registers import fields_of, pack_fields
from sluice_sim.formal import prove
from sluice_sim.runner import find_simulator, run_bench


def marks(entry, label):
    return [pytest.mark.slow] if label in entry.slow else []


VARIANTS = [
    pytest.param(entry, dict(parameters), id=f"{entry.name}-{label}", marks=marks(entry, label))
    for entry in CATALOGUE.values()
    for label, parameters in entry.variants()
]
PROOFS = [
    pytest.param(entry, dict(parameters), id=f"{entry.name}-{k}", marks=marks(entry, f"proof{k}"))
    for entry in CATALOGUE.values()
    for k, parameters in enumerate(entry.proofs)
]
PARAMETERS = [
    pytest.param(entry, parameter, id=f"{entry.name}-{parameter.name}")
    for entry in CATALOGUE.values()
    for parameter in entry.cls.PARAMETERS
]


@pytest.mark.parametrize(("entry", "parameters"), VARIANTS)
def test_against_golden(entry, parameters):
    result = run_bench(entry, parameters)
    assert result.ok, f"{result.failures}, see {result.folder}"
    assert len(result.passed) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4])
@pytest.mark.parametrize(("entry", "parameters"), VARIANTS)
def test_more_seeds(entry, parameters, seed):
    result = run_bench(entry, parameters, seed=seed)
    assert result.ok, f"{result.failures}, see {result.folder}"


@pytest.mark.slow
@pytest.mark.parametrize(("entry", "parameters"), VARIANTS)
def test_other_simulator(entry, parameters):
    other = "icarus" if find_simulator() == "verilator" else "verilator"
    result = run_bench(entry, parameters, sim=other)
    assert result.ok, f"{result.failures}, see {result.folder}"


@pytest.mark.parametrize(("entry", "parameters"), PROOFS)
def test_proof(entry, parameters):
    verdict = prove(entry, parameters)
    assert verdict.proven, f"{verdict.refuted} {verdict.trace}"


@pytest.mark.parametrize(("entry", "parameter"), PARAMETERS)
def test_bad_parameter(entry, parameter):
    """A wrong type and a value outside the range raise one line that names the parameter."""
    bad: list = [object()]
    if isinstance(parameter, Int):
        bad += ["1", 1.5, True, parameter.lo - 1]
        bad += [parameter.hi + 1] if parameter.hi is not None else []
    elif isinstance(parameter, Choice):
        bad += ["nothing", 1]
    elif isinstance(parameter, Flag):
        bad += [1, "true"]
    for value in bad:
        with pytest.raises(RequestError, match=parameter.name) as caught:
            entry.make(**{parameter.name: value})
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=list(CATALOGUE))
def test_entry(entry):
    """What an entry names exists, and its class documents its contract in order."""
    assert load(entry.bench)
    assert load(entry.proof)
    assert not entry.golden or callable(load(entry.golden))
    assert {p.name for p in entry.cls.PARAMETERS} == set(entry.cls.defaults())
    headings = ["Parameters", "Members", "Attributes", "Raises"]
    places = [entry.docstring.find(f"\n{h}\n---") for h in headings]
    assert -1 not in places, entry.name
    assert places == sorted(places), entry.name
    assert entry.mutants.items()
    labels = {label for label, _ in entry.variants()}
    labels |= {f"proof{k}" for k in range(len(entry.proofs))}
    assert set(entry.slow) <= labels - {"default", "proof0"}, entry.name


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=list(CATALOGUE))
def test_same_bytes(entry):
    """The same parameters give the same Verilog, without a path of this machine in it."""
    one, two = (to_verilog(entry.make(), entry.name) for _ in range(2))
    assert one == two
    assert "/" not in re.sub(r"//.*|/\*.*?\*/", "", one).replace(" / ", "")


def test_unknown_names():
    with pytest.raises(RequestError, match="did you mean fifo"):
        find_block("fif0")
    with pytest.raises(RequestError, match="did you mean lanes"):
        find_block("masking").make(lane=4)
    with pytest.raises(RequestError, match="no preset"):
        find_block("masking").make("huge")


def test_fields_round_trip():
    block: Any = find_block("masking").make("full")
    shape = block.config.shape()
    for field in fields_of(shape):
        low = -(1 << field.width - 1) if field.signed else 0
        for value in (low, low + (1 << field.width) - 1):
            word = pack_fields(shape, {field.name: value})
            found = word >> field.low & ((1 << field.width) - 1)
            assert found == value & ((1 << field.width) - 1)
        with pytest.raises(ValueError, match=re.escape(field.name)):
            pack_fields(shape, {field.name: low - 1})
    with pytest.raises(ValueError, match="no setting"):
        pack_fields(shape, {"nothing": 1})
