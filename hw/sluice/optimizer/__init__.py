"""From gradients to weights: what watches the one, and what updates the other."""

from sluice.optimizer.gradient_monitor import GradientMonitor

__all__ = ["GradientMonitor"]
