"""Wavelet latents: a linear encoder of one layer, companding to bytes, and an asymmetric decoder.

Sources: WaLLoC, arXiv:2412.09405; order of channels by nested dropout, Rippel et al., arXiv:1402.0915.
Differs from WaLLoC: latents are trained against their rate and coded with tables, and one network serves all
qualities.
"""

from nacre.models.family import Family
from nacre.models.wavelet.config import WaveletConfig
from nacre.models.wavelet.network import build, read_integers

FAMILY = Family("wavelet", WaveletConfig, build, read_integers)

__all__ = ["FAMILY", "WaveletConfig"]
