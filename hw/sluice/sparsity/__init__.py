"""What is zero is neither moved nor computed."""

from sluice.sparsity.compact import Compact

__all__ = ["Compact"]
