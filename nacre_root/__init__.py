"""nacre: a learned image codec whose files decode the same on every machine.

from nacre import codec
data = codec.encode(image, quality=60)
image = codec.decode(data)
"""

from importlib.metadata import version as _version

__version__ = _version("nacre")
