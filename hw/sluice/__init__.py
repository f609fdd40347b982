"""Generator of hardware that trains neural networks in little memory and low precision."""

__version__ = "0.1.0"
