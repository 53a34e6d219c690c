"""Codes pictures on a Ray cluster (extra `ray`); results come in the order of the pictures."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nacre.datasets.latents.coding import CodedSample, Settings, code
from nacre.datasets.latents.index import BadPicture
from nacre.datasets.latents.processes import AHEAD, DIED
from nacre.datasets.latents.sources import Item
from nacre.entropy.errors import NacreError, UsageError

LOCAL = "local"  # address of a cluster on this machine alone, which ends with the run
RETRIES = 5  # for a picture whose worker or machine dies

Found = CodedSample | BadPicture


def on_cluster(
    address: str, jobs: int | None = None
) -> Callable[[Iterator[Item], Settings], Iterator[tuple[Item, Found]]]:
    """A function that codes by Ray tasks of one core each; `jobs` is the number of cores of a LOCAL cluster.

    Tasks read the pictures themselves: every machine needs the paths and the models. A task whose worker dies
    runs again on another worker; a picture that kills every worker is bad. Raises UsageError without Ray, and
    NacreError if the cluster is not found or lost.
    """

    def coded(items: Iterator[Item], settings: Settings) -> Iterator[tuple[Item, Found]]:
        with _connected(address, jobs) as ray:
            task = ray.remote(num_cpus=1, max_retries=RETRIES)(code)
            waiting: deque[tuple[Item, Any]] = deque()
            while True:
                most = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
                while len(waiting) < most:
                    item = next(items, None)
                    if item is None:
                        break
                    waiting.append((item, task.remote(item, settings)))
                if not waiting:
                    return
                item, reference = waiting.popleft()
                try:
                    found = ray.get(reference)
                except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
                    found = BadPicture(item.key, DIED)
                except ray.exceptions.RayError as error:
                    raise NacreError(
                        f"the Ray cluster failed; the same command goes on: {_first_line(error)}"
                    ) from error
                yield item, found

    return coded


@contextmanager
def _connected(address: str, jobs: int | None) -> Iterator[Any]:
    """The module `ray`, connected to the cluster; an existing connection is left open."""
    try:
        import ray
    except ImportError as error:
        raise UsageError("--ray needs Ray: pip install 'nacre[ray]'") from error
    if ray.is_initialized():
        yield ray
        return
    own = (
        {"num_cpus": jobs or os.cpu_count(), "include_dashboard": False} if address == LOCAL else {}
    )
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **own)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise NacreError(f"no Ray cluster at {address}: {_first_line(error)}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
