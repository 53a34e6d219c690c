"""Everything that nacre raises on purpose.

NacreError                 anything raised on purpose
  UsageError               the call or the command line is wrong            also ValueError
  ImageError               the picture cannot be read or is not supported
  WeightsError             weights missing, of another model, or damaged
  LimitError               larger than the limits in force allow
  StreamError              not a stream this version reads
    UnsupportedStream      of a newer version, of another kind, or made by other weights
    TruncatedStream        ends early
    CorruptStream          a checksum or the end-of-stream check failed
"""

from __future__ import annotations


class NacreError(Exception):
    """Anything that nacre raises on purpose; the message is one line for a person."""


class UsageError(NacreError, ValueError):
    """The call or the command line is wrong."""


class ImageError(NacreError):
    """The picture cannot be read, or is of a kind that is not supported."""


class WeightsError(NacreError):
    """Weights are missing, damaged, or belong to another model."""


class LimitError(NacreError):
    """Larger than the limits in force allow; the limits are options of the call."""


class StreamError(NacreError):
    """The bytes are not a stream that this version reads."""


class UnsupportedStream(StreamError):
    """A whole stream, but of a newer version, of another kind, or made by other weights."""


class TruncatedStream(StreamError):
    """The stream ends before its end chunk."""


class CorruptStream(StreamError):
    """Damaged: a checksum, a bound or the end-of-stream check failed."""
