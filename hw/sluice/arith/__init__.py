"""Arithmetic on numbers of :mod:`sluice.formats`, in whatever parts the technology supplies."""

from sluice.arith.accumulate_exact import AccumulateExact
from sluice.arith.accumulate_exact_unit import AccumulateExactUnit
from sluice.arith.add import Add
from sluice.arith.add_unit import AddUnit
from sluice.arith.compare import Compare
from sluice.arith.compare_unit import CompareUnit
from sluice.arith.convert import Convert
from sluice.arith.convert_fixed_unit import ConvertFixedUnit
from sluice.arith.convert_unit import ConvertUnit
from sluice.arith.divide import Divide
from sluice.arith.divide_unit import DivideUnit
from sluice.arith.dot import Dot
from sluice.arith.dot_integer_unit import DotIntegerUnit
from sluice.arith.dot_unit import DotUnit
from sluice.arith.elementwise import Elementwise
from sluice.arith.extreme import Extreme
from sluice.arith.extreme_unit import ExtremeUnit
from sluice.arith.multiplier import Multiplier
from sluice.arith.multiply import Multiply
from sluice.arith.multiply_add import MultiplyAdd
from sluice.arith.multiply_add_unit import MultiplyAddUnit
from sluice.arith.multiply_unit import MultiplyUnit
from sluice.arith.mx_dequantize import MxDequantize
from sluice.arith.mx_quantize import MxQuantize
from sluice.arith.packed_multiplier import PackedMultiplier
from sluice.arith.reciprocal_square_root import ReciprocalSquareRoot
from sluice.arith.reciprocal_square_root_unit import ReciprocalSquareRootUnit
from sluice.arith.square_root import SquareRoot
from sluice.arith.square_root_unit import SquareRootUnit

__all__ = [
    "AccumulateExact",
    "AccumulateExactUnit",
    "Add",
    "AddUnit",
    "Compare",
    "CompareUnit",
    "Convert",
    "ConvertFixedUnit",
    "ConvertUnit",
    "Divide",
    "DivideUnit",
    "Dot",
    "DotIntegerUnit",
    "DotUnit",
    "Elementwise",
    "Extreme",
    "ExtremeUnit",
    "Multiplier",
    "Multiply",
    "MultiplyAdd",
    "MultiplyAddUnit",
    "MultiplyUnit",
    "MxDequantize",
    "MxQuantize",
    "PackedMultiplier",
    "ReciprocalSquareRoot",
    "ReciprocalSquareRootUnit",
    "SquareRoot",
    "SquareRootUnit",
]
