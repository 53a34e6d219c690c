"""Codecs behind one interface, so that all are measured in the same way."""
