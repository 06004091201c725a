"""The protocol as an independent client sees it, and what a client gets that does not keep it."""

import shutil
import subprocess

import numpy as np
import pytest
from served import SECURE, Serve, certificates, has_remote

grpc = pytest.importorskip("grpc")
pytestmark = pytest.mark.skipif(not (has_remote() and shutil.which("grpc_python_plugin")), reason="built without gRPC")

from plain_client import PlainClient, Refused, stubs  # noqa: E402  (needs what is asked for above)

SMALL = {"input.size": 32, "output.size": 64, "seed": 5}


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    return stubs(tmp_path_factory.mktemp("stubs"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Serve(tmp_path_factory.mktemp("serve"), "--device", "sim:opu", "--device", "sim:delay_vcsel", "--timeout", "60") as s:
        yield s


@pytest.fixture
def client(server, generated):
    made = []

    def make(**options):
        made.append(PlainClient(server.address, generated, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def bits(frames, size=32):
    return np.random.default_rng(1).integers(0, 2, size=(frames, size), dtype=np.uint8)


def test_it_gets_the_codes_of_the_device_at_home(client):
    ll = pytest.importorskip("lightloop")
    plain = client()
    info = plain.open("opu0", SMALL)
    frames = bits(700)
    with ll.open("sim:opu", SMALL) as device:
        here = device.run(frames)
    assert info.model == "sim:opu" and list(info.input.shape) == [32]
    assert np.array_equal(plain.run(frames), here)
    assert plain.report.frames == 700 and plain.report.device_s > 0
    assert np.array_equal(plain.run(frames[5:9], first_frame_id=5), here[5:9])


def test_payloads_longer_than_all_windows_pass(client):
    plain = client()
    plain.open("opu0", {"input.size": 2048, "output.size": 4096, "seed": 1})
    frames = bits(4096, 2048)
    assert frames.size >= plain.welcome.window  # the answer is twice as long
    whole = plain.run(frames)
    assert np.array_equal(whole[1000:1003], plain.run(frames[1000:1003], first_frame_id=1000))


def test_a_device_is_taken_once_and_free_when_its_user_has_gone(client):
    first = client()
    first.open("delay_vcsel0")
    with pytest.raises(Refused, match="plain@python pid 0") as caught:
        client().open("delay_vcsel0")
    assert caught.value.error.kind == first.pb.Error.BUSY
    devices = {d.name: d.holder for d in first.stub.List(first.pb.ListRequest()).devices}
    assert devices == {"opu0": "", "delay_vcsel0": "plain@python pid 0"}
    assert first.stub.Beat(first.pb.BeatRequest(session=first.welcome.session)).known
    assert not first.stub.Beat(first.pb.BeatRequest(session="another")).known
    first.ask(close=first.pb.Nothing())
    client().open("delay_vcsel0")


def test_another_version_is_refused_with_both_numbers(client):
    with pytest.raises(Refused, match="version 7.*version 1"):
        client(version=7)


def test_errors_come_typed_and_in_parts(client):
    plain = client()
    with pytest.raises(Refused) as caught:
        plain.open("opu0", {"camera.bitz": 8})
    error = caught.value.error
    assert error.kind == plain.pb.Error.UNKNOWN_NAME and "camera.bits" in error.hint
    plain.open("opu0", SMALL)
    with pytest.raises(Refused, match="highest|0..1") as caught:
        plain.run(np.full((1, 32), 2, np.uint8))
    assert caught.value.error.kind == plain.pb.Error.OUT_OF_RANGE
    assert plain.run(bits(1)).shape == (1, 64)  # and goes on


def raw(server, messages, method="/lightloop.v1.Devices/Session"):
    """Sends bytes as messages of a session; returns the answers' bytes and the status."""
    with grpc.insecure_channel(server.address) as channel:
        call = channel.stream_stream(method, lambda m: m, lambda m: m)(iter(messages))
        answers = []
        try:
            answers.extend(call)
        except grpc.RpcError:
            pass
        return answers, call.code()


def test_nonsense_is_refused_and_costs_nobody_anything(client, server, generated):
    pb, _ = generated
    answers, _ = raw(server, [b"\xff\xff\xff\xff"])
    assert "cannot be read" in pb.FromServer.FromString(answers[-1]).refusal.value
    answers, _ = raw(server, [b"\x0a\x03\x1a\x01\xff"])  # a client's name that is no UTF-8
    assert "cannot be read" in pb.FromServer.FromString(answers[-1]).refusal.value
    hello = pb.FromClient(hello=pb.Hello(version=1, window=1 << 20)).SerializeToString()
    huge = pb.FromClient(chunk=pb.Chunk(payload=bytes(5 << 20))).SerializeToString()
    answers, code = raw(server, [hello, huge])
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    claim = pb.Request(id=2, payload_bytes=1 << 62, run=pb.Run(frames=1 << 62))
    start = pb.Request(id=1, open=pb.Open(device="opu0", settings=client().settings(SMALL)))
    answers, _ = raw(server, [hello, *(pb.FromClient(request=r).SerializeToString() for r in (start, claim))])
    assert pb.FromServer.FromString(answers[-1]).reply.error.kind == pb.Error.OUT_OF_RANGE
    assert raw(server, [], "/lightloop.v1.Devices/Nothing")[1] == grpc.StatusCode.UNIMPLEMENTED
    assert client().open("opu0", SMALL).model == "sim:opu"


def test_the_health_service_answers(server):
    with grpc.insecure_channel(server.address) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check", lambda m: m, lambda m: m)
        for name in (b"", b"lightloop.v1.Devices"):
            request = b"\x0a" + bytes([len(name)]) + name if name else b""
            assert check(request, timeout=10) == b"\x08\x01"  # SERVING


def test_tls_token_and_an_expired_certificate(tmp_path, generated):
    papers = certificates(tmp_path)

    def come(name, token):
        content = [(papers / file).read_bytes() for file in ("ca.pem", f"{name}.key", f"{name}.pem")]
        client = PlainClient(server.address, generated, grpc.ssl_channel_credentials(*content), token)
        try:
            return client.open("opu0", SMALL).model
        finally:
            client.close()

    with Serve(papers, "--device", "sim:opu", *SECURE) as server:
        token = (papers / "token").read_text().strip()
        with pytest.raises(Refused, match="token"):
            come("client", "wrong")
        with pytest.raises(Refused, match="token"):
            come("client", None)
        for name in ("expired", "stranger"):
            with pytest.raises(grpc.RpcError):
                come(name, token)
        assert come("client", token) == "sim:opu"


def test_a_server_that_ends_says_so(tmp_path, generated):
    with Serve(tmp_path, "--device", "sim:opu") as server:
        client = PlainClient(server.address, generated)
        client.open("opu0", SMALL)
        raw(server, [b"\x0a\x03\x1a\x01\xff", b"nonsense"])
        assert server.end() == 0 and server.process.stderr.read() == ""
        with pytest.raises(Refused, match="was stopped"):
            client.run(bits(1))
        client.close()


def test_protoc_warns_of_nothing(generated, tmp_path):
    from plain_client import PROTO

    done = subprocess.run(["protoc", f"-I{PROTO.parent}", f"--descriptor_set_out={tmp_path}/x", PROTO.name],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0 and done.stderr == ""
