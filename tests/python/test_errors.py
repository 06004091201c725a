"""Exceptions: one family, each also the built-in class a reader expects, with the parts of the message."""

import pickle

import pytest

import lightloop as ll


def test_parts_of_the_message_can_be_read_back():
    with pytest.raises(ll.UnknownName) as caught:
        ll.open("sim:opu,camera.bitz=8")
    error = caught.value
    assert "camera.bitz" in error.subject + error.value
    assert "camera.bits" in error.hint and str(error).endswith(error.hint)


@pytest.mark.parametrize(
    "call, kind, builtin",
    [
        (lambda: ll.open("sim:opux"), ll.UnknownName, KeyError),
        (lambda: ll.open("sim:opu,camera.bits=99"), ll.OutOfRange, ValueError),
        (lambda: ll.open("opu"), ll.InvalidParameter, ValueError),
        (lambda: ll.open("nowhere.toml"), ll.FileError, OSError),
        (lambda: ll.load_run("nowhere.h5"), ll.FileError, OSError),
        (lambda: ll.train(rule="bpp"), ll.UnknownName, KeyError),
    ],
)
def test_mistakes_raise_the_fitting_class(call, kind, builtin):
    for expected in (kind, builtin, ll.Error):
        with pytest.raises(expected):
            call()


def test_wrong_sizes_are_shape_mismatches_that_say_what_is_wanted(device, bits):
    with pytest.raises(ll.ShapeMismatch, match="32"):
        device.run(bits[:, :31].copy())


def test_errors_survive_pickling():
    error = ll.OutOfRange("camera.bits", "99", "1 to 16", "Choose 8.")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) and copy.limit == "1 to 16"
