#include "devices/opu/physics.hpp"

namespace lightloop::opu {
namespace {

ParamInfo real(std::string name, std::string unit, double value, double min, double max, std::string help) {
  return {std::move(name), std::move(unit), value, min, max, std::move(help)};
}
ParamInfo integer(std::string name, std::int64_t value, double min, double max, std::string help) {
  return {std::move(name), "1", value, min, max, std::move(help)};
}
ParamInfo toggle(std::string name, bool value, std::string help) {
  return {std::move(name), "", value, 0, 0, std::move(help)};
}
ParamInfo choice(std::string name, std::string value, std::vector<std::string> choices, std::string help) {
  return {std::move(name), "", std::move(value), 0, 0, std::move(help), std::move(choices)};
}
// What is built into the bench rather than set on it.
ParamInfo fixed(ParamInfo info) {
  info.needs_reopen = true;
  return info;
}

}  // namespace

// Values marked "assumed" have no measured source; the others are from the data sheets and device records named.
std::vector<ParamInfo> params() {
  return {
      fixed(integer("input.size", 256, 1, 1 << 24, "Inputs, one bit each")),
      fixed(integer("output.size", 1024, 1, 1 << 24, "Camera pixels")),
      fixed(integer("seed", 0, 0, 9e15, "Which device of this kind: medium, fixed pattern and noise")),
      fixed(integer("instance", 0, 0, 9e15, "A second key beside the seed, for ensembles")),
      fixed(choice("clock", "virtual", {"virtual", "wall"}, "Device time counts frames, or follows real time")),
      toggle("noise", true, "Everything that is drawn anew for each frame"),
      // mirrors: DLP4500, 912 x 1140; LightOn's formatting pads with on mirrors; contrast 1e3..1e5 is typical
      fixed(integer("dmd.mirrors", 1039680, 1, 1e9, "Mirrors of the array")),
      fixed(integer("dmd.mirrors_per_input", 0, 0, 1e9, "Mirrors that show one input; 0: as many as fit")),
      toggle("dmd.padding", false, "Mirrors that show no input are on"),
      real("dmd.off_contrast", "1", 1e-4, 0, 0.9, "Power of an off mirror over that of an on mirror"),
      real("dmd.frame_time", "s", 500e-6, 1e-6, 10, "Shortest time from one pattern to the next"),
      // 1..1.8 grains per pixel fit measured histograms
      fixed(real("medium.grains", "1", 1.3, 1, 64, "Mean speckle grains per pixel, need not be whole")),
      fixed(real("medium.drift_time", "s", 0, 0, 1e12, "Correlation time of the field behind the medium; 0: never")),
      fixed(real("medium.drift_step", "1", 1e-3, 1e-6, 1, "Part of the drift time after which the medium is moved on")),
      real("medium.jitter", "1", 0, 0, 0.999, "Part of the field (rms) that differs from frame to frame"),
      // 3.73 pW at 532 nm are 1e7 photons/s: 27 codes of signal with 55 % of the mirrors on, as measured
      real("laser.wavelength", "m", 532e-9, 200e-9, 20e-6, "Wavelength in vacuum"),
      real("laser.pixel_power", "W", 3.734e-12, 0, 1, "Mean power on one pixel when every mirror is on"),
      real("laser.rin", "1", 2e-3, 0, 0.3, "Relative power noise from frame to frame (rms)"),  // assumed: 0.1..1 %
      real("laser.drift", "1", 0, 0, 0.3, "Slow relative power drift (rms)"),
      real("laser.drift_time", "s", 3600, 1e-3, 1e12, "Shortest period in the slow power drift"),
      // 3..10 times the signal is the useful range of a phase-stepping arm
      real("reference.power_ratio", "1", 5, 0, 1e6, "Reference power over mean signal power of reference.on_inputs"),
      integer("reference.on_inputs", 0, 0, 1 << 24, "On inputs the ratio refers to; 0: half of all"),
      real("reference.phase_jitter", "rad", 0.02, 0, 3, "Phase error of the reference per frame (rms)"),  // assumed
      // CMV2000-like sensor: full well, read noise, dark current, PRNU, DSNU; 0 dB means the well spans the codes
      real("camera.exposure", "s", 400e-6, 1e-9, 100, "Exposure time"),
      real("camera.readout", "s", 200e-6, 0, 10, "Time to read a frame, overlapped with the exposure"),  // assumed
      real("camera.guard", "s", 50e-6, 0, 1, "Gap between the longer of both and the next frame"),
      integer("camera.bits", 8, 1, 16, "Bits of a code"),
      real("camera.full_well", "1", 13500, 1, 1e12, "Electrons at which a pixel is full"),
      real("camera.gain", "1", 0, 0, 1e9, "Electrons per code; 0: the full well spans all codes"),
      real("camera.quantum_efficiency", "1", 0.65, 0, 1, "Electrons per photon"),
      real("camera.read_noise", "1", 13, 0, 1e6, "Electrons (rms) per read"),
      real("camera.dark_current", "Hz", 125, 0, 1e12, "Electrons per second without light"),
      real("camera.prnu", "1", 5e-3, 0, 0.3, "Relative gain error of a pixel (rms)"),
      real("camera.dsnu", "1", 2, 0, 1e6, "Offset of a pixel in electrons (rms)"),
      real("camera.row_noise", "1", 1, 0, 1e6, "Electrons (rms) common to a sensor row"),  // assumed
      real("camera.black_level", "1", 9, 0, 65535, "Codes added before conversion"),
      fixed(integer("camera.width", 2040, 1, 1 << 24, "Pixels per sensor row")),
      real("cost.batch_time", "s", 0, 0, 100, "Fixed time per call"),
      real("cost.power", "W", 30, 0, 1e6, "Power drawn while frames run"),
  };
}

std::map<std::string, Settings> presets() {
  return {
      {"default", {}},
      {"ideal",
       {{"noise", false},
        {"dmd.off_contrast", 0.0},
        {"medium.grains", 1.0},
        {"camera.bits", std::int64_t{16}},
        {"camera.full_well", 43000.0},  // 16 times the mean signal with every mirror on
        {"camera.dark_current", 0.0},
        {"camera.prnu", 0.0},
        {"camera.dsnu", 0.0},
        {"camera.black_level", 0.0}}},
      // Black level 9, mean signal 27 codes, 1.3 grains, 400 us of 500 us: from published 8-bit histograms and run
      // records. Field jitter 0.1 gives the 15 % intensity error between repeats that kernel and phase-retrieval
      // experiments need beyond the camera's own noise. Batch time: 3000 vectors in 1.65 s. Drift times are assumed:
      // the speckle of a warm bench was seen to be stable over 4 h.
      {"lightonlike",
       {{"dmd.padding", true},
        {"medium.jitter", 0.1},
        {"medium.drift_time", 360000.0},
        {"laser.drift", 5e-3},
        {"cost.batch_time", 0.15}}},
  };
}

}  // namespace lightloop::opu
