"""Packing on a Ray cluster of two machines, of which one is lost on the way. Needs the extra `ray`."""

from __future__ import annotations

import pytest

from nacre.datasets.latents.cluster import on_cluster
from nacre.datasets.latents.packing import pack_items, settings_of
from nacre.datasets.latents.sources import items_from, items_of
from nacre.entropy.errors import NacreError
from nacre.tools.cli import main
from tests.datasets.latents.conftest import COUNT, SHARD, contents


@pytest.fixture
def place(samples, tmp_path):
    """The pictures of the data set as files."""
    for key, data, _ in samples:
        path = tmp_path / "in" / f"{key}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path


def test_without_ray_the_command_says_what_to_install(place, tiny, monkeypatch, capsys):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    arguments = [
        "pack",
        str(place / "in"),
        str(place / "out"),
        "--model",
        str(tiny),
        "--ray",
        "local",
    ]
    assert main(arguments) == 2
    assert "pip install 'nacre[ray]'" in capsys.readouterr().err


def test_a_cluster_that_loses_a_machine_gives_the_same_bytes(packed, samples, tiny, tmp_path):
    ray = pytest.importorskip("ray")
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    cluster = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    try:
        machines = [cluster.add_node(num_cpus=1) for _ in range(2)]
        ray.init(address=cluster.address, log_to_driver=False)
        # More pictures than are given out at first: some begin after the loss.
        many = [(f"{k}/{key}", data, label) for k in range(4) for key, data, label in samples]
        settings = settings_of(60, 0, None, None, {"model": tiny})
        wanted = pack_items(items_from(many), tmp_path / "here", settings, SHARD)
        lost = []

        def losing(done):
            if done == 5 and not lost:
                lost.append(machines[1])
                cluster.remove_node(machines[1], allow_graceful=False)

        found = pack_items(
            items_from(many),
            tmp_path / "there",
            settings,
            SHARD,
            on_cluster(cluster.address),
            losing,
        )
        assert lost and len(ray.nodes()) == 3
        assert sum(node["Alive"] for node in ray.nodes()) == 2
        assert found == wanted and len(found.samples) == 4 * COUNT
        assert contents(tmp_path / "there") == contents(tmp_path / "here")
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_the_command_runs_a_cluster_of_its_own(place, packed, tiny, monkeypatch):
    pytest.importorskip("ray")
    arguments = ["pack", str(place / "in"), str(place / "out"), "--model", str(tiny)]
    arguments += ["--shard-size", str(SHARD), "--ray", "local", "-j", "1"]
    assert main(arguments) == 0
    found = contents(place / "out")
    assert all(
        found[name] == data for name, data in contents(packed).items() if name.endswith(".tar")
    )


def test_no_cluster_is_an_error(place, tiny):
    pytest.importorskip("ray")
    settings = settings_of(60, 0, None, None, {"model": tiny})
    with pytest.raises(NacreError, match="no Ray cluster at"):
        pack_items(items_of([place / "in"]), place / "out", settings, SHARD, on_cluster("auto"))
