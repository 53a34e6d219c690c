"""Codecs behind one interface, by which all are measured alike."""
