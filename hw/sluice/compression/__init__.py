"""Codecs: weights arrive small and leave small."""

from sluice.compression.centroid_dot import CentroidDot
from sluice.compression.centroid_dot_float import CentroidDotFloat
from sluice.compression.centroid_matmul import CentroidMatmul
from sluice.compression.centroid_means import CentroidMeans
from sluice.compression.lut_compress import LutCompress
from sluice.compression.lut_decompress import LutDecompress
from sluice.compression.ternary_compress import TernaryCompress
from sluice.compression.ternary_decompress import TernaryDecompress
from sluice.compression.ternary_dot import TernaryDot

__all__ = [
    "CentroidDot",
    "CentroidDotFloat",
    "CentroidMatmul",
    "CentroidMeans",
    "LutCompress",
    "LutDecompress",
    "TernaryCompress",
    "TernaryDecompress",
    "TernaryDot",
]
