"""Numbers as they will be when few bits are left of them, while a network is trained."""

from sluice.quantization.block_selector import BlockSelector
from sluice.quantization.fake_quantize import FakeQuantize
from sluice.quantization.product_decode import ProductDecode
from sluice.quantization.product_encode import ProductEncode
from sluice.quantization.quantizer_settings import QuantizerSettings

__all__ = ["BlockSelector", "FakeQuantize", "ProductDecode", "ProductEncode", "QuantizerSettings"]
