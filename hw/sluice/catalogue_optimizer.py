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
    Entry(
        "loss_scale",
        "sluice.optimizer:LossScale",
        "the scale of the next step of training, and whether this one counts",
        group="optimizer",
        systems=("N3",),
        bench="sluice_sim.bench.loss_scaling:LossScaleBench",
        proof="sluice_sim.formal.loss_scaling:prove_loss_scale",
        golden="sluice_sim.golden.loss_scaling:decide",
        presets={"default": {}, "fp32": {"element": "fp32"}},
        cases=(
            {"element": "fp8_e5m2", "count_bits": 1},
            {"element": "fp8_e4m3", "count_bits": 4},
            {"element": "fp16", "count_bits": 24},
            {"element": "tf32", "count_bits": 2},
        ),
        proofs=({"element": "fp8_e5m2", "count_bits": 2},),
        mutants={"element": "fp8_e5m2", "count_bits": 3},
    ),
    Entry(
        "optimizer",
        "sluice.optimizer:Optimizer",
        "next weights and moments from gradients: SGD, momentum, Adam, AdamW",
        group="optimizer",
        systems=("M5",),
        bench="sluice_sim.bench.optimizer:OptimizerBench",
        proof="sluice_sim.formal.optimizer:prove_optimizer",
        golden="sluice_sim.golden.optimizer:optimize",
        presets={
            "default": {},
            "momentum": {"moments": 1},
            "sgd": {"moments": 0},
        },
        cases=(
            {"lanes": 3, "moments": 0},
            {"lanes": 2, "moments": 1, "flush": True},
            {"lanes": 2, "moments": 2, "flush": True},
        ),
        proofs=({"moments": 0}, {"moments": 2}),
        mutants={"moments": 0},
        measured=(("default", "ecp5-85k-packed"),),
        preview=True,
    ),
)
