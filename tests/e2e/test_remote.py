"""Two processes, as two terminals: `serve` in one, everything else with only the device string changed in the other."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from e2e import COMMAND, OPTICAL
from served import SECURE, Serve, certificates, has_remote, secure

pytestmark = pytest.mark.skipif(not has_remote(), reason="built without gRPC")
ALL = ["--device", "sim:opu", "--device", "sim:crossbar", "--device", "sim:delay_vcsel", "--device", "sim:mzi_mesh", "--device", "sim:ring_bank"]
LONG = ["--epochs", "30", "--checkpoint-every", "40", "--set", "device.medium.drift_time=1 h"]


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make certificates with")
    return certificates(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module", params=["tcp", "unix", "tls"])
def way(request, tmp_path_factory):
    """A server and the device string of one of its devices."""
    if request.param == "tls":
        folder = request.getfixturevalue("papers")
        server, rights = Serve(folder, *ALL, *SECURE), secure(folder)
    else:
        folder = tmp_path_factory.mktemp("way")
        listen = "127.0.0.1:0" if request.param == "tcp" else f"unix:{folder}/s"
        server, rights = Serve(folder, *ALL, listen=listen), ""
    with server:
        yield lambda name: f"remote:{server.address}/{name}{rights}"


@pytest.mark.parametrize("name", ["opu0", "crossbar0", "delay_vcsel0", "mzi_mesh0", "ring_bank0"])
def test_the_contract_holds(lightloop, way, name):
    done = lightloop("check", way(name))
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failed" in done.stdout.splitlines()[-1]


def trained(lightloop, *words):
    done = lightloop("train", *words, "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def on(device):
    """The options of the optical runs with another device."""
    return [*OPTICAL[: OPTICAL.index("--device") + 1], device]


def test_training_ends_with_the_same_weights(lightloop, small, way):
    here = trained(lightloop, *small, *on("sim:opu"), "--out", "here.h5")
    there = trained(lightloop, *small, *on(way("opu0")), "--out", "there.h5")
    for key in ("weights_sha256", "device_frames", "device_seconds", "device_joules"):
        assert there[key] == here[key]


def test_the_server_tells_who_comes_and_goes(lightloop, tmp_path):
    with Serve(tmp_path, "--device", "lab=sim:opu,seed=3") as server:
        assert server.devices == ["lab"]
        assert lightloop("check", f"remote:{server.address}/lab").returncode == 0
        assert f"pid {os.getpid()}" not in server.wait_for("came")["client"]
        assert server.wait_for("left")["device"] == "lab"
        assert server.end(signal.SIGINT) == 0


def start(folder, *words):
    return subprocess.Popen([COMMAND, "train", *map(str, words)], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env={**os.environ, "HOME": str(folder), "LIGHTLOOP_DATA": ""})  # fmt: skip


def wait_for(path, process):
    end = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_killed_client_gives_the_device_back_and_resumes_to_the_same_weights(lightloop, small, tmp_path):
    whole = trained(lightloop, *small, *on("sim:opu"), *LONG, "--out", "whole.h5")
    with Serve(tmp_path, "--device", "sim:opu") as server:
        process = start(tmp_path, *small, *on(f"remote:{server.address}/opu0"), *LONG, "--out", "run.h5")
        wait_for(tmp_path / "run.h5", process)
        busy = lightloop("check", f"remote:{server.address}/opu0")
        assert busy.returncode == 3 and f"pid {process.pid}" in busy.stderr and len(busy.stderr.splitlines()) == 1
        process.kill()
        process.communicate()
        assert server.wait_for("lost", timeout=5)["frames"] > 0
        resumed = trained(lightloop, "--resume", "run.h5")
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    assert resumed["device_frames"] == whole["device_frames"]


def test_a_killed_server_is_told_at_once_and_the_run_goes_on_to_the_same_weights(lightloop, small, tmp_path):
    whole = trained(lightloop, *small, *on("sim:opu"), *LONG, "--out", "whole.h5")
    with Serve(tmp_path, "--device", "sim:opu") as server:
        process = start(tmp_path, *small, *on(f"remote:{server.address}/opu0"), *LONG, "--json", "--out", "run.h5")
        wait_for(tmp_path / "run.h5", process)
        server.end(signal.SIGKILL)
        with Serve(tmp_path, "--device", "sim:opu", listen=server.address):
            out, errors = process.communicate(timeout=60)
            if process.returncode:  # it did not wait for the next server
                assert process.returncode == 3 and "last answer: " in errors.splitlines()[-1], errors
                out = lightloop("train", "--resume", "run.h5", "--json", "--quiet").stdout
        assert json.loads(out)["weights_sha256"] == whole["weights_sha256"]


def test_a_frozen_client_loses_the_device(lightloop, small, tmp_path):
    with Serve(tmp_path, "--device", "sim:opu", "--timeout", "1") as server:
        process = start(tmp_path, *small, *on(f"remote:{server.address}/opu0"), *LONG, "--out", "run.h5")
        wait_for(tmp_path / "run.h5", process)
        process.send_signal(signal.SIGSTOP)
        try:
            server.wait_for("lost", timeout=20)
            assert lightloop("check", f"remote:{server.address}/opu0").returncode == 0
        finally:
            process.kill()
            process.communicate()


BAD = [
    (lambda a: "remote:127.0.0.1:1/opu0", 3, ["127.0.0.1:1", "refused"]),
    (lambda a: "remote:unix:/nowhere/sock/opu0", 3, ["No such file"]),
    (lambda a: f"remote:{a}/opu1", 2, ["opu1", "Did you mean opu0"]),
    (lambda a: f"remote:{a}", 2, ["names no device", "opu0"]),
    (lambda a: f"remote:{a}/opu0,camera.bitz=3", 2, ["camera.bitz", "camera.bits"]),
    (lambda a: f"remote:{a}/opu0,token_file=nowhere", 2, ["nowhere"]),
    (lambda a: f"remote:{a}/opu0,tls_cert=x.pem", 2, ["x.pem"]),
    (lambda a: "remote:host/opu0", 2, ["host:port"]),
]  # fmt: skip


def test_mistakes_are_one_clear_line(lightloop, tmp_path):
    with Serve(tmp_path, "--device", "sim:opu") as server:
        for device, code, parts in BAD:
            done = lightloop("check", device(server.address))
            assert done.returncode == code and len(done.stderr.splitlines()) == 1, done.stderr
            assert all(part in done.stderr for part in parts), done.stderr


RIGHTS = [
    ({"token_file": "wrong"}, 3, "token is missing or wrong"),
    ({"token_file": None}, 3, "token is missing or wrong"),
    ({"tls_ca": "other.pem"}, 3, "not trusted"),
    ({"tls_cert": "expired.pem", "tls_key": "expired.key"}, 2, "expired on"),
    ({"tls_cert": "stranger.pem", "tls_key": "stranger.key"}, 3, "cannot be reached"),
    ({"tls_cert": None, "tls_key": None}, 3, "tls_cert"),
    ({"tls_ca": None, "tls_cert": None, "tls_key": None}, 3, "tls_ca"),
]


def test_who_may_not_come_is_told_why_and_costs_the_server_nothing(lightloop, papers):
    with Serve(papers, "--device", "sim:opu", *SECURE) as server:
        for changes, code, part in RIGHTS:
            done = lightloop("check", f"remote:{server.address}/opu0{secure(papers, **changes)}")
            assert done.returncode == code and len(done.stderr.splitlines()) == 1, done.stderr
            assert part in done.stderr, done.stderr
        good = lightloop("check", f"remote:{server.address}/opu0{secure(papers)}")
        assert good.returncode == 0, good.stderr


@pytest.mark.parametrize(
    "words, code, part",
    [
        (["--listen", "0.0.0.0:0"], 4, "--tls-cert"),
        (["--listen", "0.0.0.0:0", "--token-file", "token"], 4, "--tls-cert"),
        (["--listen", "0.0.0.0:0", *SECURE[:4]], 4, "--token-file"),
        (["--listen", "nonsense"], 2, "host:port"),
        (["--tls-cert", "expired.pem", "--tls-key", "expired.key"], 2, "expired on"),
        (["--tls-cert", "server.pem"], 2, "--tls-key"),
        (["--tls-cert", "server.pem", "--tls-key", "client.key", "--listen", "127.0.0.1:0"], 2, "do not belong"),
        (["--tls-cert", "names", "--tls-key", "server.key"], 2, "no certificate"),
        (["--token-file", "names2"], 2, "names2"),
        (["--device", "sim:opux"], 2, "opu"),
    ],
)
def test_a_server_that_must_not_be_is_refused(papers, words, code, part):
    done = subprocess.run([COMMAND, "serve", "--device", "sim:opu", *words], cwd=papers, capture_output=True, text=True,
                          timeout=60)  # fmt: skip
    assert done.returncode == code and len(done.stderr.splitlines()) == 1, done.stderr
    assert part in done.stderr


def test_two_servers_do_not_share_an_address(tmp_path):
    for listen in ("127.0.0.1:0", f"unix:{tmp_path}/s"):
        with Serve(tmp_path, "--device", "sim:opu", listen=listen) as server:
            done = subprocess.run([COMMAND, "serve", "--device", "sim:opu", "--listen", server.address],
                                  capture_output=True, text=True, timeout=60)  # fmt: skip
            assert done.returncode == 3 and "cannot be listened on" in done.stderr, done.stderr
    with Serve(tmp_path, "--device", "sim:opu", listen=f"unix:{tmp_path}/s") as server:
        server.end(signal.SIGKILL)
        assert (tmp_path / "s").exists()  # left behind by a server that was killed
        with Serve(tmp_path, "--device", "sim:opu", listen=f"unix:{tmp_path}/s"):
            assert oct((tmp_path / "s").stat().st_mode)[-3:] == "600"
