#pragma once
// sim:opu, an optical random-projection unit: a binary mirror array lights a scattering medium, a camera sees the
// speckle.
//
//   codes in   one bit per input (a macro-pixel of equal mirrors), 0 off, 1 on
//   codes out  one camera code per pixel
//   auxiliary  reference_phase (8 bit: code c is the phase 2 pi c / 256), reference_shutter (1 bit, closed at rest)
//
// The field on grain g of pixel p, in units where one on input has E|H|^2 = 1, is
//   s = (1 - a) H x + a H 1 + b + r exp(i phase),
// a the leak of off mirrors, b the padding mirrors, r the reference arm; the pixel collects sum_g w_g |s|^2, sum w = 1,
// sum w^2 = 1/M for M = medium.grains. Light is laser.pixel_power * (mirrors of one input / all mirrors) per unit of
// |s|^2: laser.pixel_power is what a pixel gets on average when every mirror is on, so an input's light does not depend
// on camera settings. The camera then follows EMVA 1288 (sim/detection/camera.hpp).
//
// Time: frame k is shown at k frame times on a virtual clock that starts at 0 when the device is opened and counts
// frames only, so results do not depend on how frames are cut into batches. Drift (medium, laser) reads that clock;
// with drift the device is stateful. clock=wall makes the clock follow real time and run() take as long as hardware.
// A frame takes max(dmd.frame_time, max(camera.exposure, camera.readout) + camera.guard).
//
// noise=off silences everything drawn per frame; fixed pattern, dark current and drift stay. Presets: ideal (no
// imperfection; 16 bits), lightonlike (fitted to published histograms and timing of a LightOn device).
//
// Validity: fully developed, polarised, spatially independent speckle on every pixel; no beam profile, no correlation
// between neighbouring mirrors or pixels. The field of an off mirror has the phase of the on state (assumed).
// Sources: Saade et al. 2016 (arXiv 1510.06664); Brossollet et al. 2021 (arXiv 2107.11814); EMVA Standard 1288.
#include "driver/api/registry.hpp"

namespace lightloop::opu {

/// The record of "sim:opu".
DeviceModel model();

}  // namespace lightloop::opu
