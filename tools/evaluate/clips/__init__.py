"""Measurement of codecs on clips: frames, codecs, figures of each frame, and their part of the report."""
