"""What programs elsewhere rely upon stays as it is: the messages of remote: and the contents of a recording, version 1.

frozen/*.txt are lists of what there was when the version was frozen. More may come; what stands in them may not change. The
third frozen thing, the tables of plugins, is held by driver/backends/plugin/frozen_test.cpp.
"""

import pathlib
import shutil
import subprocess

import pytest
from e2e import OPTICAL, ROOT

FROZEN = pathlib.Path(__file__).parent / "frozen"


def frozen(name):
    return set((FROZEN / f"{name}.txt").read_text().splitlines())


def messages(folder):
    """"Message.field = number type", "Enum.NAME = number", "Service.Method = in -> out" of remote.proto."""
    from google.protobuf import descriptor_pb2 as pb

    proto = ROOT / "driver" / "backends" / "remote"
    subprocess.run(["protoc", f"--proto_path={proto}", f"--descriptor_set_out={folder}/set", "remote.proto"], check=True)
    (file,) = pb.FileDescriptorSet.FromString((folder / "set").read_bytes()).file
    kind = {value: name.removeprefix("TYPE_").lower() for name, value in pb.FieldDescriptorProto.Type.items()}
    found = [f"package {file.package}"]

    def look(prefix, message):
        name = prefix + message.name
        for field in message.field:
            one_of = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
            parts = [kind[field.type], field.type_name.lstrip("."), "repeated" if field.label == 3 else "", one_of]
            found.append(f"{name}.{field.name} = {field.number} " + " ".join(filter(None, parts)))
        for one in message.enum_type:
            numbers(name + ".", one)
        for inner in message.nested_type:
            look(name + ".", inner)

    def numbers(prefix, enum):
        found.extend(f"{prefix}{enum.name}.{value.name} = {value.number}" for value in enum.value)

    for message in file.message_type:
        look("", message)
    for enum in file.enum_type:
        numbers("", enum)
    for service in file.service:
        for method in service.method:
            streams = "stream " * method.client_streaming, "stream " * method.server_streaming
            found.append(f"{service.name}.{method.name} = {streams[0]}{method.input_type} -> {streams[1]}{method.output_type}")
    return found


def contents(path):
    """"/path type dimensions units" of each dataset, "@name type" of each attribute of the root."""
    import h5py

    found = []
    with h5py.File(path, "r") as file:
        found.extend(f"@{name} {type(value).__name__}" for name, value in file.attrs.items() if not name.startswith("settings."))
        # settings are the device's: what each comes with
        found.extend(f"@settings.{name}" for name in ("names", "seed", "seed.unit", "seed.default", "seed.min", "seed.max",
                                                       "seed.help", "seed.choices", "seed.needs_reopen")
                     if f"settings.{name}" in file.attrs)  # fmt: skip
        found.extend([f"kind = {as_text(file.attrs['kind'])}", f"format_version = {file.attrs['format_version']}",
                      f"event_kinds = {as_text(file.attrs['event_kinds'])}"])  # fmt: skip
        file.visititems(
            lambda name, item: found.append(f"/{name} {item.dtype} {item.ndim} {as_text(item.attrs.get('units', ''))}")
            if isinstance(item, h5py.Dataset)
            else None
        )
    return found


def as_text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


@pytest.mark.skipif(not shutil.which("protoc"), reason="no protoc")
def test_the_messages_of_version_1_are_those_it_was_frozen_with(tmp_path):
    pytest.importorskip("google.protobuf")
    assert frozen("remote") - set(messages(tmp_path)) == set()


def test_a_recording_of_version_1_holds_what_it_was_frozen_with(lightloop, small, tmp_path):
    pytest.importorskip("h5py")
    done = lightloop("train", *small, *OPTICAL, "--record", "rec.h5", "--quiet")
    assert done.returncode == 0, done.stderr
    assert frozen("recording") - set(contents(tmp_path / "rec.h5")) == set()
