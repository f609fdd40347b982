"""From gradients to weights: what watches the one, and what updates the other."""

from sluice.optimizer.gradient_monitor import GradientMonitor
from sluice.optimizer.loss_scale import LossScale, Policy
from sluice.optimizer.optimizer import Optimizer
from sluice.optimizer.settings import optimizer_layout, optimizer_settings
from sluice.optimizer.streamed_optimizer import StreamedOptimizer

__all__ = [
    "GradientMonitor",
    "LossScale",
    "Optimizer",
    "Policy",
    "StreamedOptimizer",
    "optimizer_layout",
    "optimizer_settings",
]
