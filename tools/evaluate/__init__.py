"""Rate and distortion, measured on real files."""
