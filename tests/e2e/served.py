"""Servers for the tests: real processes on free ports or sockets, ended by their own pid; certificates made here."""

import json
import os
import queue
import signal
import subprocess
import threading
import time

from e2e import COMMAND


def has_remote():
    done = subprocess.run([COMMAND, "serve", "--device", "sim:none"], capture_output=True, text=True)
    return "gRPC" not in done.stderr


class Serve:
    """A running `lightloop serve`; `address` is what clients write after "remote:"."""

    def __init__(self, folder, *words, listen="127.0.0.1:0", environment=None):
        self.process = subprocess.Popen(
            [COMMAND, "serve", "--json", "--listen", listen, *map(str, words)],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **(environment or {})})  # fmt: skip
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        ready = self.event()
        assert ready.get("event") == "ready", self.process.stderr.read()
        self.address = ready["address"]
        self.devices = ready["devices"].split(",")

    def event(self, timeout=60):
        """The next line it prints; {} when there is none in time."""
        try:
            return self.lines.get(timeout=max(timeout, 0))
        except queue.Empty:
            return {}

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put({})

    def wait_for(self, event, timeout=60):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            found = self.event(end - time.monotonic())
            if found.get("event") == event:
                return found
        raise AssertionError(f"no event {event}")

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.end()


def certificates(folder):
    """ca, server, client, expired, stranger: .pem and .key; token and wrong: tokens."""

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for authority in ("ca", "other"):
        openssl("req", "-x509", *curve, "-keyout", f"{authority}.key", "-out", f"{authority}.pem", "-days", "2",
                "-subj", f"/CN={authority}")  # fmt: skip
    for name, authority, days in (("server", "ca", 2), ("client", "ca", 2), ("expired", "ca", -1), ("stranger", "other", 2)):
        openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
                "-CAcreateserial", "-out", f"{name}.pem", "-days", str(days), "-extfile", "names")  # fmt: skip
    (folder / "token").write_text("0123456789abcdef0123456789abcdef\n")
    (folder / "wrong").write_text("0123456789abcdef0123456789abcdee\n")
    return folder


SECURE = ["--tls-cert", "server.pem", "--tls-key", "server.key", "--tls-ca", "ca.pem", "--token-file", "token"]


def secure(folder, **changes):
    """The settings of a client that may come, ",tls_ca=...": with some other files, or without (None)."""
    files = {"tls_ca": "ca.pem", "tls_cert": "client.pem", "tls_key": "client.key", "token_file": "token", **changes}
    return "".join(f",{key}={folder / file}" for key, file in files.items() if file)
