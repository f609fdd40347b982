"""From gradients to weights: what watches the one, and what updates the other."""

from sluice.optimizer.gradient_monitor import GradientMonitor
from sluice.optimizer.loss_scale import LossScale, Policy

__all__ = ["GradientMonitor", "LossScale", "Policy"]
