"""What is zero is neither moved nor computed."""

from sluice.sparsity.compact import Compact
from sluice.sparsity.expand import Expand

__all__ = ["Compact", "Expand"]
