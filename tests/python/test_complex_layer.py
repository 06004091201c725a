"""Complex matrices on meshes whose fields are complex."""

import warnings

import numpy as np
import pytest

import lightloop as ll

FINE = "sim:mzi_mesh,preset=ideal,field.kind=complex,phase.law=linear,dac.bits=14,adc.bits=16,adc.range=1"


def numbers(seed, *shape):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)


def far(found, wanted):
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)


@pytest.mark.parametrize("layout", ["clements", "reck"])
def test_a_layer_is_the_complex_product_in_both_directions(layout):
    w, x, g = numbers(1, 5, 7), numbers(2, 40, 7), numbers(3, 40, 5)
    with ll.Layer(f"{FINE},mesh.layout={layout}", w, backward="device") as layer:
        assert (layer.n_in, layer.n_out) == (7, 5)
        y = layer(x)
        assert y.shape == (40, 5) and y.dtype == np.complex64
        assert far(y, x @ w.T) < 2e-3
        assert far(layer.transposed(g), g @ w) < 2e-3
        assert far(layer.backward(x, g), g @ w.conj()) < 2e-3  # of Re(sum(conj(g) y)), by real and imaginary part
        assert np.array_equal(layer.programmed, w)
        layer.program(w.real)  # a real matrix is a complex one too
        assert far(layer(x), x @ w.real.T) < 2e-3


def test_calibration_takes_the_losses_out():
    w, x = numbers(1, 8, 8), numbers(2, 40, 8)
    with ll.Layer("sim:mzi_mesh,field.kind=complex", w) as layer:
        lossy = far(layer(x), x @ w.T)
        layer.calibrate()
        assert far(layer(x), x @ w.T) < 0.1 < lossy


def test_complex_numbers_on_real_fields_are_refused_with_the_remedy():
    w = numbers(1, 5, 7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ll.InvalidParameter, match=r"weights: complex .*real.*field\.kind=complex"):
            ll.Layer("sim:mzi_mesh", w)
        with ll.Layer("sim:mzi_mesh", w.real) as layer, pytest.raises(ll.InvalidParameter, match="x: complex"):
            layer(numbers(2, 3, 7))
    with ll.open("sim:mzi_mesh,field.kind=complex,input.size=8,output.size=8") as mesh:
        with pytest.raises(ll.ShapeMismatch, match="fills its device"):
            ll.Layer(mesh, w)


@pytest.mark.parametrize("layout", ["clements", "reck"])
def test_a_complex_layer_goes_back_through_its_twin(layout):
    """By differences of Re(sum(conj(g) y)) in real and in imaginary parts; the device is linear, so a step may be wide."""
    w, x, g = numbers(1, 5, 7), numbers(2, 6, 7), numbers(3, 6, 5)
    options = {"noise_management": "fixed", "input_range": 8.0, "bound_management": "none"}
    with ll.Layer(f"{FINE.replace('adc.range=1', 'adc.range=4')},mesh.layout={layout}", w, backward="twin", **options) as layer:
        back = layer.backward(x, g)
        assert far(back, g @ w.conj()) < 2e-3
        for row, column in ((0, 0), (3, 6)):
            for part in (1, 1j):
                step = np.zeros_like(x)
                step[row, column] = 2 * part
                change = (np.conj(g) * (layer(x + step) - layer(x - step)).astype(complex)).sum().real / 4
                found = back[row, column]
                assert (found.real if part == 1 else found.imag) == pytest.approx(change, rel=0.01, abs=0.02)


@pytest.mark.parametrize("more", ["", ",monitors=true,correction=none"])
def test_phases_of_a_complex_layer_learn_a_complex_matrix(more):
    w, wanted, x = 0.3 * numbers(1, 4, 4), 0.3 * numbers(4, 4, 4), numbers(2, 40, 4)
    with ll.Layer(FINE.replace("adc.range=1", "adc.range=2") + more, w, backward="twin", update="programme", weight_limit=2.0) as layer:
        before = far(layer(x), x @ wanted.T)
        for _ in range(300):
            layer.learn_programme(x, layer(x) - x @ wanted.T, lr=0.004)
        assert far(layer(x), x @ wanted.T) < before / 5
        assert far(layer(x), x @ layer.programmed.T) < 2e-3  # what it is said to hold is what it does
