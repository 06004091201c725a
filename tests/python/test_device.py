"""Frames in, frames out: what Python adds to the contract."""

import threading
import time

import numpy as np
import pytest

import lightloop as ll


def test_codes_come_back_in_the_described_format(device, bits):
    codes = device.run(bits)
    assert codes.dtype == device.info.output.dtype and codes.shape == (20, *device.info.output.shape)
    assert device.run(bits[0]).shape == device.info.output.shape
    with ll.open("sim:opu,camera.bits=12", {"input.size": 32, "output.size": 64}) as wide:
        assert wide.run(bits).dtype == np.uint16


def test_bool_and_uint8_are_the_same_bits(device, bits):
    assert (device.run(bits, first_frame_id=0) == device.run(bits.astype(bool), first_frame_id=0)).all()


@pytest.mark.parametrize(
    "wrong",
    [lambda b: b.astype(np.int64), lambda b: b.astype(np.float32), lambda b: np.asfortranarray(b), lambda b: b[:, ::-1], lambda b: b[::2]],
    ids=["int64", "float32", "fortran", "reversed", "strided"],
)  # fmt: skip
def test_what_would_be_copied_is_a_type_error_that_names_the_remedy(device, bits, wrong):
    with pytest.raises(TypeError, match=r"np\.ascontiguousarray\(codes, dtype=np\.uint8\)"):
        device.run(wrong(bits))
    assert device.meter.frames == 0


def test_input_is_read_where_it_lies_and_output_written_where_it_lies(device, bits):
    frozen = bits.copy()
    frozen.setflags(write=False)
    out = np.empty((20, *device.info.output.shape), np.uint8)
    assert device.run(frozen, out=out) is out
    assert (out == device.run(bits, first_frame_id=0)).all()
    with pytest.raises(TypeError, match="out: C-contiguous uint8"):
        device.run(bits, out=out.astype(np.uint16))
    out.setflags(write=False)
    with pytest.raises(TypeError, match="read-only"):
        device.run(bits, out=out)


def test_frame_ids_key_the_noise(device, bits):
    first, second, again = device.run(bits), device.run(bits), device.run(bits, first_frame_id=0)
    assert (first != second).any() and (first == again).all() and device.next_frame_id == 20


def test_cutting_a_batch_changes_nothing(bits):
    def run(pieces):
        with ll.open("sim:opu,seed=1", {"input.size": 32, "output.size": 64}) as device:
            return np.concatenate([device.run(piece) for piece in pieces])

    assert (run([bits]) == run([bits[:7], bits[7:]])).all()


def test_snapshot_and_restore_give_the_same_future(bits):
    with ll.open("sim:opu,seed=1,medium.drift_time=1 s", {"input.size": 32, "output.size": 64}) as device:
        device.run(bits)
        state = device.snapshot()
        future = device.run(bits)
        device.restore(state)
        assert (device.run(bits) == future).all()


def test_auxiliary_codes_reach_the_device(device, bits):
    names = [a.name for a in device.info.aux_inputs]
    aux = np.zeros((20, len(names)), np.uint16)
    rest = device.run(bits, first_frame_id=0)
    aux[:, names.index("reference_shutter")] = 1
    assert (device.run(bits, aux=aux, first_frame_id=0) != rest).any()
    with pytest.raises(TypeError, match="uint16"):
        device.run(bits, aux=aux.astype(np.int64))
    with pytest.raises(ll.ShapeMismatch):
        device.run(bits, aux=aux[:5].copy())


def test_settings_take_units_and_nested_tables(device):
    device.configure({"camera.exposure": "400 us"})
    assert device.settings["camera.exposure"] == pytest.approx(4e-4)
    device.configure(camera={"exposure": 2e-4, "bits": 10})
    assert device.settings["camera.exposure"] == 2e-4 and device.info.output.bits == 10
    with pytest.raises(TypeError):
        device.settings["camera.bits"] = 8  # a snapshot, not a way in
    with pytest.raises(TypeError, match="camera.bits"):
        device.configure({"camera.bits": object()})


def test_a_refused_change_changes_nothing(device):
    before = dict(device.settings)
    with pytest.raises(ll.OutOfRange):
        device.configure({"camera.exposure": 1e-4, "camera.bits": 99})
    assert dict(device.settings) == before


def test_the_interpreter_is_free_while_the_device_works():
    # A thread that can only tick while run() does not hold the interpreter.
    with ll.open("sim:opu,seed=1", {"input.size": 4096, "output.size": 4096}) as device:
        bits = np.ones((400, 4096), np.uint8)
        device.run(bits[:1])
        ticks, done = [], threading.Event()

        def tick():
            while not done.is_set():
                ticks.append(time.perf_counter())
                time.sleep(0.002)

        ticker = threading.Thread(target=tick)
        ticker.start()
        start = time.perf_counter()
        device.run(bits)
        stop = time.perf_counter()
        done.set()
        ticker.join()
    inside = [t for t in ticks if start < t < stop]
    assert stop - start > 0.05, "the call was too short to show anything"
    assert len(inside) >= 5


def test_two_threads_may_share_a_session(device, bits):
    answers = {}
    threads = [threading.Thread(target=lambda i=i: answers.setdefault(i, device.run(bits))) for i in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(answers) == 4 and device.meter.frames == 80


def test_catalogue_and_notebook_views(device):
    models = ll.devices()
    opu = models["opu"]
    assert opu.kind == "projection" and "ideal" in opu.presets
    assert {"camera.bits", "medium.drift_time"} <= {p.name for p in opu.params}
    for shown in (models, device, ll.rules()):
        assert "<table>" in shown._repr_html_()
    assert all(rule.maps == (not rule.no_map) for rule in ll.rules())
    assert "sim:opu" in repr(device)
    assert all(len(reading) == 2 for reading in device.monitors().values())


def test_random_streams_do_not_depend_on_how_they_are_read():
    stream = ll.Stream(seed=3)
    whole = stream.normal(row=5, n=100)
    assert (whole == np.concatenate([stream.normal(5, 30), stream.normal(5, 70, column=30)])).all()
    assert sorted(stream.permutation(0, 10)) == list(range(10))


def test_the_physics_of_a_simulated_laser_agrees_with_its_formulas():
    rows = ll.check_physics("sim:delay_vcsel")
    assert len(rows) > 5 and all(row["agrees"] or row["skipped"] for row in rows)
    assert rows[0].keys() == {"name", "formula", "unit", "expected", "measured", "tolerance", "detail", "skipped", "agrees"}
    with pytest.raises(ll.Unsupported, match="measures none"):
        ll.check_physics("sim:opu")
