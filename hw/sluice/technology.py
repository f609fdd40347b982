"""What a target supplies to blocks: the generic one here, vendors' in ``sluice_boards``."""

from dataclasses import dataclass

__all__ = ["GENERIC", "Technology"]


@dataclass(frozen=True)
class Technology:
    """A target's parts and limits.

    Attributes
    ----------
    name : str
    logic_inputs : int
        Inputs of its look-up table, by which pipelines are cut; zero where there is none.
    """

    name: str
    logic_inputs: int = 0


GENERIC = Technology("generic")
