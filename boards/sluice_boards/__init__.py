"""Boards: pins, vendor primitives and bitstream builds for the blocks of sluice."""
