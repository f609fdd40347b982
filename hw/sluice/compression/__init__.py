"""Codecs: weights arrive small and leave small."""
