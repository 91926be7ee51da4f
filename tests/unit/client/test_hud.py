from __future__ import annotations

from napari_cuda.client.control.camera import CameraDifference
from napari_cuda.client.hud import HudSampler, HudSnapshot, hud_lines
from napari_cuda.client.telemetry import ClientMetrics, StageStats
from napari_cuda.protocol.messages import StreamQuality

SNAPSHOT = HudSnapshot(
    frames_per_s=58.34,
    bytes_per_s=1_840_000,
    input_to_photon=StageStats(240, 0.0314, 0.1279, 0.2),
    round_trip=StageStats(1, 0.0412, 0.0412, 0.0412),
    revision=1204,
    exact=True,
    camera=CameraDifference((3.0, -4.0), 1.25),
    decoder="PyAV (software)",
    quality=StreamQuality(1_800_000, 2_000_000, 3, 12.4, "libx264 ultrafast 4:4:4"),
    queues={"packets_to_decode": 1, "gui_calls": 0},
    dropped={"at_gate": 2, "overflow": 0, "stale": 1},
    stalls=3,
)


def test_the_lines_are_aligned_and_readable() -> None:
    assert hud_lines(SNAPSHOT) == [
        "frames       58.3 /s",
        "input          31 ms p50    128 ms p95",
        "round trip     41 ms",
        "received     1.84 MB/s",
        "quality       1.8 Mb/s, link 2.0, window 3, queue 12 ms",
        "coding      libx264 ultrafast 4:4:4",
        "revision     1204 exact",
        "camera          5 px, zoom 1.25",
        "decoder     PyAV (software)",
        "waiting     packets to decode 1",
        "dropped     at gate 2, stale 1",
        "stalls          3",
    ]


def test_what_is_not_known_is_a_dash_in_the_same_place() -> None:
    lines = hud_lines(HudSnapshot())
    assert [line[:12].strip() for line in lines] == [line[:12].strip() for line in hud_lines(SNAPSHOT)]
    assert lines[1] == "input           -"
    assert lines[4:6] == ["quality         -", "coding          -"]
    assert lines[6] == "revision        0 moving"
    assert lines[7] == "camera          -"
    assert lines[8] == "decoder         -"


def test_the_camera_is_in_step_or_not() -> None:
    assert hud_lines(HudSnapshot(camera=CameraDifference()))[7] == "camera            in step"
    assert hud_lines(HudSnapshot(camera=CameraDifference(turned=True)))[7].endswith("zoom 1.00, turned")


def test_rates_are_those_since_the_last_look() -> None:
    metrics = ClientMetrics()
    sampler = HudSampler(metrics)
    metrics.count("frames_shown", 1000)
    first = sampler.look(10.0, revision=1, exact=False, camera=None, decoder="a")
    assert (first.frames_per_s, first.bytes_per_s) == (0, 0), "since when is not known"
    metrics.count("frames_shown", 30)
    metrics.count("bytes_received", 250_000)
    second = sampler.look(10.5, revision=2, exact=True, camera=None, decoder="a")
    assert (second.frames_per_s, second.bytes_per_s) == (60, 500_000)
    again = sampler.look(10.5, revision=2, exact=True, camera=None, decoder="a")
    assert again.frames_per_s == 0


def test_the_newest_latencies_count_and_all_drops_and_stalls() -> None:
    metrics = ClientMetrics()
    sampler = HudSampler(metrics)
    for latency_s in [1.0] * 500 + [0.05] * 240:
        metrics.observe("input_to_photon", latency_s)
    metrics.observe("round_trip", 0.5)
    metrics.observe("round_trip", 0.04)
    metrics.observe("gui_stall", 0.3)
    metrics.count("dropped_stale", 4)
    metrics.watch("gui_calls", lambda: 7)
    snapshot = sampler.look(1.0, revision=9, exact=False, camera=None, decoder="PyAV")
    assert snapshot.input_to_photon == StageStats(240, 0.05, 0.05, 0.05)
    assert snapshot.round_trip == StageStats(1, 0.04, 0.04, 0.04)
    assert snapshot.dropped is not None
    assert snapshot.dropped["stale"] == 4
    assert snapshot.queues == {"gui_calls": 7}
    assert (snapshot.stalls, snapshot.revision, snapshot.exact, snapshot.decoder) == (1, 9, False, "PyAV")
