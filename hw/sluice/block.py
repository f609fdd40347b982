"""Base class of every block."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from amaranth import Module
from amaranth.lib import wiring

from sluice.params import Parameter, parse_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Block", "Driven"]


@dataclass
class Driven:
    """What a block that is driven wants sent, and what to make of what comes.

    Attributes
    ----------
    rows : mapping of stream to rows
        Of numbers; a row is a packet.
    words : mapping of stream to payloads
        Of the streams named in :attr:`Block.driven`.
    packets : int
        That come out.
    gather : callable
        Makes of them the rows of the resulting array.
    """

    rows: "Mapping[str, Sequence[NDArray[np.uint64]]]"
    words: Mapping[str, Sequence[int]]
    packets: int
    gather: "Callable[[Sequence[NDArray[np.uint64]]], Sequence[NDArray[np.uint64]]]"


class Block(wiring.Component):
    """A component with promises: its tests check them and its datasheet prints them.

    A subclass lists its parameters in ``PARAMETERS`` and gives them as keyword-only arguments of
    ``__init__``, which calls :meth:`check` with all of them before anything else.

    Attributes
    ----------
    PARAMETERS : tuple of Parameter
        Name, range and meaning of each parameter, in the order of ``__init__``.
    latency : int, cycles
        From the input beat that completes a result, to that result being offered.
    interval : int or float, cycles
        Between accepted beats when neither side stalls.
    """

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = ()
    latency: int
    interval: float
    # False where a NaN that comes in has no counterpart among the results.
    accepts_nan: bool = True
    # False where the packets that go out are not, one by one, those of the first input.
    same_packets: bool = True
    # Input streams that are zeros, as many as the first has elements, where nobody has a file.
    optional: tuple[str, ...] = ()
    # Input streams that :meth:`drive` fills, for which nobody has a file.
    driven: tuple[str, ...] = ()
    # A block that is made only to be described or to give its shapes is not a mistake.
    _MustUse__silence = True

    def check(self, **values: Any) -> None:
        """Check every parameter and keep it as an attribute of the same name.

        Raises
        ------
        TypeError, ValueError
            Naming the parameter and its legal values.
        """
        for parameter in self.PARAMETERS:
            setattr(self, parameter.name, parameter.check(values.pop(parameter.name)))
        if values:
            raise TypeError(f"{type(self).__name__} does not declare {', '.join(values)}")

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Return the default of every parameter that has one."""
        signature = inspect.signature(cls.__init__).parameters
        return {
            p.name: signature[p.name].default
            for p in cls.PARAMETERS
            if signature[p.name].default is not inspect.Parameter.empty
        }

    @property
    def parameters(self) -> dict[str, Any]:
        """The values this block was made with."""
        return {p.name: getattr(self, p.name) for p in self.PARAMETERS}

    @property
    def spelled(self) -> dict[str, int | str]:
        """The same, as JSON and command lines spell them."""
        return {k: v if isinstance(v, (int, str)) else str(v) for k, v in self.parameters.items()}

    def read_settings(self, texts: Mapping[str, str], *, packets: int) -> list[dict[str, int]]:
        """Return the settings that texts from a command line stand for, field by field.

        Parameters
        ----------
        texts : mapping of setting to text
            Whole numbers, ``true`` or ``false``; a block may know more than that.
        packets : int
            How many will be sent with them.

        Returns
        -------
        list of settings
            Those of the packets; ahead of them, those of empty packets that must go first.

        Raises
        ------
        ValueError
            Naming the setting that is wrong.
        """
        return [{name: parse_whole(name, text) for name, text in texts.items()}]

    def drive(self, arrays: "Mapping[str, NDArray[np.uint64]]", texts: Mapping[str, str]) -> Driven:
        """Return what to send for arrays of bit patterns by stream, where :attr:`driven` is set.

        Raises
        ------
        ValueError
            Naming the array or the setting that is wrong.
        """
        raise NotImplementedError

    def elaborate(self, platform: Any) -> Module:
        raise NotImplementedError
