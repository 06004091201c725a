"""Matrix layers on devices of kind "layer"."""

import numpy as np
import pytest

import lightloop as ll

FINE = "sim:crossbar,preset=ideal,dac.bits=14,weight.bits=14,adc.bits=16,adc.range=30"


@pytest.fixture
def weights():
    return np.random.default_rng(1).uniform(-2, 2, (7, 12)).astype(np.float32)


@pytest.fixture
def x():
    return np.random.default_rng(2).uniform(-3, 3, (30, 12)).astype(np.float32)


@pytest.mark.parametrize("cells", ["signed", "differential", "offset"])
def test_a_layer_is_the_product_in_both_directions(weights, x, cells):
    with ll.Layer(FINE, weights, cells=cells) as layer:
        y = layer(x)
        assert y.shape == (30, 7) and y.dtype == np.float32
        assert np.abs(y - x @ weights.T).max() < 0.05  # steps of the ADC: 30 / 2^15 x 6, twice for a reference row
        g = np.ascontiguousarray(x[:, :7])
        assert np.abs(layer.transposed(g) - g @ weights).max() < 0.05
        assert np.abs(layer.programmed - weights).max() < 1e-3
        assert layer.report.frames == 60
        assert layer.report.device_j > 0
        assert layer.settings["cells"] == cells


def test_an_open_session_serves_several_layers_one_after_the_other(weights, x):
    with ll.open("sim:crossbar,preset=ideal,input.size=12,output.size=7") as session:
        layer = ll.Layer(session)
        assert (layer.n_in, layer.n_out) == (12, 7)
        with pytest.raises(ll.Error, match="nothing was programmed"):
            layer(x)
        layer.program(weights)
        first = layer(x)
        state = layer.snapshot()
        layer.calibrate()
        assert layer.calibration.done
        layer.restore(state)
        assert not layer.calibration.done
        assert np.array_equal(first, layer(x))  # no noise


def test_a_layer_whose_device_was_written_since_says_so(weights, x):
    with ll.open("sim:crossbar,preset=ideal,input.size=12,output.size=7") as session:
        first = ll.Layer(session, weights)
        before, state = first(x), session.snapshot()
        second = ll.Layer(session, -weights)
        with pytest.raises(ll.Error, match="another programme.*device of its own"):
            first(x)
        second(x)
        session.restore(state)
        assert np.array_equal(first(x), before)
        with pytest.raises(ll.Error, match="another programme"):
            second(x)
        second.program(2 * weights)  # of the same codes
        assert np.array_equal(first(x), before)


def test_a_batch_of_no_rows_has_an_answer_of_no_rows(weights, x):
    for device in ("sim:crossbar", "sim:homodyne", "sim:tt_rfnn"):
        with ll.Layer(device, weights, backward="device") as layer:
            none = np.zeros((0, 12), np.float32)
            for empty in (none, x[:0], np.asfortranarray(none)):
                assert layer(empty).shape == (0, 7)
            assert layer.transposed(np.zeros((0, 7), np.float32)).shape == (0, 12)
            assert layer.backward(none, np.zeros((0, 7), np.float32)).shape == (0, 12)
            with pytest.raises(ll.ShapeMismatch):
                layer(np.zeros((0, 11), np.float32))
    with ll.Layer("sim:mzi_mesh,field.kind=complex", weights) as layer:
        assert layer(np.zeros((0, 12), np.complex64)).shape == (0, 7)


def test_a_device_of_a_least_size_holds_a_smaller_matrix(weights, x):
    with ll.Layer("sim:mzi_mesh", weights[:1]) as layer:
        layer.calibrate()
        wanted = x @ weights[:1].T
        assert np.linalg.norm(layer(x) - wanted) < 0.2 * np.linalg.norm(wanted)
    with pytest.raises(ll.Unsupported, match="weight_scale"):
        ll.Layer("sim:mzi_mesh", weights, weight_scale="row")


def test_mistakes_are_named(weights, x):
    with pytest.raises(TypeError, match="n_in and n_out"):
        ll.Layer(FINE)
    with pytest.raises(ll.UnknownName, match="bound_management"):
        ll.Layer(FINE, weights, bound_managment="none")
    with pytest.raises(ll.Unsupported):
        ll.Layer("sim:opu", weights)
    with pytest.raises(ll.Unsupported, match="no tensor train"):
        ll.Layer(FINE, weights, hardening=0.5)
    with ll.Layer(FINE, weights) as layer, pytest.raises(ll.InvalidParameter):
        layer(np.full_like(x, np.nan))


def test_the_device_string_alone_changes_the_technology(weights, x):
    for device in ("sim:crossbar,preset=tile", "sim:crossbar,preset=pcm", "sim:mzi_mesh", "sim:ring_bank", "sim:homodyne"):
        with ll.Layer(device, weights) as layer:
            layer.calibrate()
            wanted = x @ weights.T
            assert np.linalg.norm(layer(x) - wanted) < 0.2 * np.linalg.norm(wanted), device
            assert 0 < layer.report.device_j / layer.report.macs < 1e-6


@pytest.mark.parametrize("layout", ["clements", "reck"])
def test_a_complex_matrix_is_written_into_a_mesh_by_its_phases(layout):
    rng = np.random.default_rng(3)
    w = rng.normal(size=(5, 7)) + 1j * rng.normal(size=(5, 7))
    u, s, v = np.linalg.svd(w)
    phases = np.concatenate([ll.mesh_phases(v, layout), 2 * np.arcsin(s / s[0]), ll.mesh_phases(u, layout)])
    with ll.open(f"sim:mzi_mesh,preset=ideal,input.size=7,output.size=5,field.kind=complex,phase.law=linear,dac.bits=16,"
                 f"adc.bits=16,adc.range=1,mesh.layout={layout}") as chip:  # fmt: skip
        chip.program(np.rint(np.mod(phases, 2 * np.pi) / (2 * np.pi) * 65535).astype(np.uint16))
        y = chip.run((32768 + 16384 * np.eye(14)).astype(np.uint16)).astype(float) / 32768 - 1
    assert np.abs(2 * (y[:7, :5] + 1j * y[:7, 5:]).T - w / s[0]).max() < 2e-3  # phases in steps of 1e-4 rad, seven deep
    assert np.abs(2 * (y[7:, 5:] - 1j * y[7:, :5]).T - w / s[0]).max() < 2e-3
    with pytest.raises(ll.InvalidParameter, match="unit"):
        ll.mesh_phases(w[:, :5])


def test_other_real_numbers_are_taken_as_float32_and_refused_as_those():
    rng = np.random.default_rng(4)
    w, x = rng.normal(size=(5, 7)), rng.normal(size=(9, 7))
    with ll.Layer("sim:crossbar", w) as layer:
        wanted = layer(x.astype(np.float32))
    for other in (x, np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2]):
        with ll.Layer("sim:crossbar", w) as layer:
            assert np.array_equal(layer(other), wanted)
            assert layer.transposed(wanted.astype(np.float64)).dtype == np.float32
            assert np.array_equal(layer.backward(x, wanted.astype(np.float64)), layer.backward(x.astype(np.float32), wanted))
            assert layer(np.ones((2, 7), int)).shape == layer(np.ones((2, 7), bool)).shape == (2, 5)
            for kind in (np.float32, np.float64):
                with pytest.raises(ll.ShapeMismatch, match="x: 6 columns"):
                    layer(np.zeros((2, 6), kind))
                with pytest.raises(ll.ShapeMismatch, match="axis in front"):
                    layer(np.zeros(7, kind))
                with pytest.raises(ll.InvalidParameter, match="finite"):
                    layer(np.full((1, 7), np.nan, kind))
            far = x.copy()
            far[2, 3] = 1e39
            with pytest.raises(ll.OutOfRange, match=r"Layer: x \[2, 3\]: 1e\+39.*3.4e38"):
                layer(far)
            with pytest.raises(TypeError, match="x: rows of float32"):
                layer([[1.0] * 7])
