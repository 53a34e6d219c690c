"""Measurement of codecs on clips: frames, codecs, figures of each frame, and how the report shows them."""
