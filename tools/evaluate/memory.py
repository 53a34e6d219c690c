"""Peak memory of a process over an interval."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")
RESET_PEAK = "5"  # written to clear_refs, it resets VmHWM: proc(5) of Linux


class PeakMemory:
    """Peak resident size of one process since construction.

    Linux alone can reset the peak. Elsewhere only the peak since the start of the process is known, which may
    come from an earlier picture, so `mib` returns None there.
    """

    def __init__(self, process: int | str = "self") -> None:
        folder = PROC / str(process)
        self._status: Path | None = folder / "status"
        try:
            (folder / "clear_refs").write_text(RESET_PEAK)
        except OSError:
            self._status = None

    def mib(self) -> float | None:
        """Return the peak in MiB, or None where it cannot be measured or the process has ended."""
        try:
            text = "" if self._status is None else self._status.read_text()
        except OSError:
            return None
        sizes = [line.split()[1] for line in text.splitlines() if line.startswith("VmHWM:")]
        return int(sizes[0]) / 1024 if sizes else None


def largest(*peaks: float | None) -> float | None:
    """Return the largest peak that is known, or None."""
    return max((peak for peak in peaks if peak is not None), default=None)
