"""The promise: whichever door a device is reached through, the network ends with the same weights."""

import json

import pytest
from e2e import BUILD, ROOT
from served import Serve, has_remote

TRAIN = [
    *("train", "--dataset", "digits", "--rule", "tdfa", "--net", "784-32-32-10", "--epochs", "1", "--lr", "3e-3"),
    *("--set", "rule.dead_zone=0.2", "--quiet", "--json", "--seed", "3"),
]


def test_sim_python_plugin_and_replay_end_with_the_same_weights(lightloop, tmp_path):
    doors = {"sim:opu": ["--record", "rec.h5"], "replay:rec.h5": [], "plugin:example.opu": []}
    if (BUILD / "python" / "lightloop" / "__init__.py").exists():
        doors[f"python:{ROOT}/examples/python/opu_in_python.py:OpuInPython"] = []
    runs = {}
    for device, more in doors.items():
        done = lightloop(*TRAIN, "--device", device, *more, environment={"LIGHTLOOP_PLUGIN_PATH": str(BUILD / "plugins")})
        assert done.returncode == 0, done.stderr
        runs[device] = json.loads(done.stdout)
    (reference, *others) = runs.values()
    for other in others:
        for key in ("weights_sha256", "device_frames", "device_joules", "test_accuracy", "health_end"):
            assert other[key] == reference[key], other["device"]


@pytest.mark.skipif(not has_remote(), reason="this build has no gRPC")
def test_a_plugin_and_a_python_device_behind_a_server_end_with_them_too(lightloop, tmp_path):
    reference = json.loads(lightloop(*TRAIN, "--device", "sim:opu").stdout)["weights_sha256"]
    doors = ["--device", "far=plugin:example.opu"]
    if (BUILD / "python" / "lightloop" / "__init__.py").exists():
        doors += ["--device", f"own=python:{ROOT}/examples/python/opu_in_python.py"]
    server = Serve(tmp_path, *doors, environment={"LIGHTLOOP_PLUGIN_PATH": str(BUILD / "plugins")})
    try:
        for name in server.devices:
            done = lightloop(*TRAIN, "--device", f"remote:{server.address}/{name}")
            assert json.loads(done.stdout)["weights_sha256"] == reference, done.stderr
    finally:
        server.end()
