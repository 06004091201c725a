"""A client of `lightloop serve` in plain Python, written from remote.proto alone: a second implementation of the protocol.

    client = PlainClient("127.0.0.1:50051", stubs(folder))
    client.open("opu0", {"input.size": 32})
    codes = client.run(frames)
"""

import importlib
import pathlib
import queue
import subprocess
import sys

import grpc
import numpy as np

PROTO = pathlib.Path(__file__).resolve().parents[2] / "driver/backends/remote/remote.proto"


def stubs(folder):
    """(messages, services) made by protoc in `folder`."""
    subprocess.run(["protoc", f"-I{PROTO.parent}", f"--python_out={folder}", f"--grpc_python_out={folder}",
                    "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin", PROTO.name], check=True)  # fmt: skip
    sys.path.insert(0, str(folder))
    return importlib.import_module("remote_pb2"), importlib.import_module("remote_pb2_grpc")


class Refused(Exception):
    """What the server answered instead; `error` is its message."""

    def __init__(self, error):
        super().__init__(f"{error.what}: {error.value} ({error.limit})")
        self.error = error


class PlainClient:
    def __init__(self, target, generated, credentials=None, token=None, version=1, window=1 << 20):
        self.pb, services = generated
        channel = grpc.secure_channel(target, credentials) if credentials else grpc.insecure_channel(target)
        self.channel, self.metadata = channel, [("authorization", f"Bearer {token}")] if token else []
        self.stub = services.DevicesStub(channel)
        self.out, self.id = queue.Queue(), 0
        self.answers = self.stub.Session(iter(self.out.get, None), metadata=self.metadata)
        self.send(hello=self.pb.Hello(version=version, client="plain@python pid 0", window=window))
        self.welcome = self.receive("welcome")

    def send(self, **message):
        self.out.put(self.pb.FromClient(**message))

    def receive(self, kind):
        answer = next(self.answers)
        if answer.HasField("refusal"):
            raise Refused(answer.refusal)
        assert answer.HasField(kind), answer
        return getattr(answer, kind)

    def ask(self, payload=b"", **work):
        """Sends a request and its payload; returns the reply and its payload."""
        self.id += 1
        size = self.welcome.chunk
        parts = [payload[i : i + size] for i in range(0, len(payload), size)] or [b""]
        request = self.pb.Request(id=self.id, payload_bytes=len(payload), payload=parts[0], **work)
        self.send(request=request)
        under_way = len(parts[0])
        for part in parts[1:]:
            while under_way + len(part) > self.welcome.window:
                under_way -= self.receive("credit").bytes
            self.send(chunk=self.pb.Chunk(id=self.id, payload=part))
            under_way += len(part)
        answer = next(self.answers)
        while answer.HasField("credit"):
            answer = next(self.answers)
        if answer.HasField("refusal"):
            raise Refused(answer.refusal)
        reply = answer.reply
        assert reply.id == self.id
        if reply.HasField("error"):
            raise Refused(reply.error)
        data = bytearray(reply.payload)
        owed = len(data)
        while len(data) < reply.payload_bytes:
            self.send(credit=self.pb.Credit(id=self.id, bytes=owed))
            part = self.receive("chunk").payload
            owed = len(part)
            data += part
        return reply, bytes(data)

    def settings(self, values):
        kinds = {bool: "boolean", int: "integer", float: "real", str: "text"}
        return self.pb.Settings(settings=[
            self.pb.Setting(name=name, value=self.pb.Value(**{kinds[type(value)]: value})) for name, value in values.items()
        ])  # fmt: skip

    def open(self, device, settings=None):
        reply, _ = self.ask(open=self.pb.Open(device=device, settings=self.settings(settings or {})))
        self.info = reply.description
        return self.info

    def run(self, frames, first_frame_id=0):
        """Codes (frames, size) in, codes out; of one byte or two, as described."""
        kinds = {True: np.uint8, False: np.dtype("<u2")}
        frames = np.ascontiguousarray(frames, kinds[self.info.input.bits <= 8])
        reply, data = self.ask(frames.tobytes(), run=self.pb.Run(frames=len(frames), first_frame_id=first_frame_id))
        self.report = reply.report
        return np.frombuffer(data, kinds[self.info.output.bits <= 8]).reshape(len(frames), -1)

    def close(self):
        """Gives the device back and ends the session; the device is free when this returns."""
        try:
            self.ask(close=self.pb.Nothing())
        except (grpc.RpcError, Refused, StopIteration):
            pass  # the server has ended it already
        self.out.put(None)
        self.answers.cancel()
        self.channel.close()
