"""Codecs behind one face, so that all are measured by the same ruler."""
