"""Codecs: weights arrive small and leave small."""

from sluice.compression.lut_compress import LutCompress
from sluice.compression.lut_decompress import LutDecompress

__all__ = ["LutCompress", "LutDecompress"]
