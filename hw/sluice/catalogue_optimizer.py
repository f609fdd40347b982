"""The optimizer blocks of the catalogue."""

from sluice.entry import Entry

__all__ = ["OPTIMIZER"]

OPTIMIZER = (
    Entry(
        "gradient_monitor",
        "sluice.optimizer:GradientMonitor",
        "report the largest magnitude of a gradient, and whether it has overflowed",
        group="optimizer",
        systems=("N3",),
        bench="sluice_sim.bench.loss_scaling:GradientMonitorBench",
        proof="sluice_sim.formal.loss_scaling:prove_gradient_monitor",
        golden="sluice_sim.golden.loss_scaling:report",
        presets={"default": {}, "fp32": {"element": "fp32", "lanes": 4}},
        cases=(
            {"element": "fp8_e5m2", "lanes": 1},
            {"element": "fp8_e4m3", "lanes": 5},
            {"element": "fp16", "lanes": 3},
            {"element": "tf32", "lanes": 2},
        ),
        proofs=(
            {"element": "fp8_e5m2", "lanes": 1},
            {"element": "fp8_e4m3", "lanes": 2},
        ),
        mutants={"element": "fp8_e5m2", "lanes": 3},
    ),
)
