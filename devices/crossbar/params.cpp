#include "devices/crossbar/params.hpp"

namespace lightloop::crossbar {
namespace {
Value whole(std::int64_t value) { return value; }
Value text(const char* value) { return std::string(value); }
}  // namespace

std::vector<ParamInfo> params() {
  return {
      {"input.size", "1", whole(256), 1, 16384, "columns of the memory: DAC codes per frame", {}, true},
      {"output.size", "1", whole(256), 1, 16384, "rows of the memory: ADC codes per frame", {}, true},
      {"dac.bits", "1", whole(8), 2, 16, "bits of an input code", {}, true},
      {"weight.bits", "1", whole(8), 2, 16, "bits of a programme code", {}, true},
      {"adc.bits", "1", whole(8), 2, 16, "bits of an output code", {}, true},
      {"adc.range", "1", 10.0, 0.01, 1e6, "sum of products at the ends of the ADC's range"},
      {"cell.kind",
       "",
       text("gaussian"),
       0,
       0,
       "how a cell holds its weight",
       {"gaussian", "phase_change", "state_independent", "constant_step", "soft_bounds"},
       true},
      {"programming_error",
       "1",
       0.038,
       0,
       1,
       "gaussian cells: sd of a written weight, full scale 1, redrawn with every write",
       {},
       true},
      {"program.mode",
       "",
       text("weights"),
       0,
       0,
       "what a programme code is: a weight, or a number of pulses (constant_step and soft_bounds)",
       {"weights", "pulses"}},
      {"pulse.step", "1", 1e-3, 1e-6, 0.5, "weight one pulse adds to an average cell at 0", {}, true},
      {"pulse.step_spread", "1", 0.3, 0, 2, "sd of a cell's steps over their mean", {}, true},
      {"pulse.asymmetry_spread",
       "1",
       0.01,
       0,
       1,
       "sd of a cell's up less down step, halved, over their mean",
       {},
       true},
      {"pulse.bound_spread", "1", 0.3, 0, 1, "sd of a cell's bounds, full scale 1", {}, true},
      {"pulse.cycle_noise", "1", 0.3, 0, 50, "sd of single pulses over their mean", {}, true},
      {"read_noise", "1", 0.0175, 0, 1, "sd of a weight in one frame, full scale 1 (read_law additive and pcm_read)"},
      {"read_law",
       "",
       text("additive"),
       0,
       0,
       "what the read noise of a cell depends on",
       {"additive", "pcm_read", "device"}},
      {"output_noise", "1", 0.04, 0, 100, "sd of an output before the ADC, in units of the sum of products"},
      {"input_noise", "1", 0.0, 0, 1, "sd of a voltage in one frame, full scale 1"},
      {"ir_drop", "1", 0.0, 0, 10, "voltage lost along the wires, 1: 0.35 ohm between cells of 5 uS"},
      {"voltage_offset", "1", 0.0, 0, 0.5, "sd of the relative loss of an output, drawn once per device"},
      {"s_shape", "1", 0.0, 0, 100, "soft saturation of the output stage per unit of the sum of products"},
      {"asymmetry", "1", 0.0, -0.9, 0.9, "part by which negative outputs are smaller"},
      {"clock_s", "s", 0.0, 0, 1e11, "time of the device's clock when it was last set; not before the last write"},
      {"seed", "1", whole(1), 0, 9007199254740992.0, "key of all random numbers of this device", {}, true},
  };
}

std::map<std::string, Settings> presets() {
  return {
      {"ideal", {{"programming_error", 0.0}, {"read_noise", 0.0}, {"output_noise", 0.0}}},
      {"hwa", {{"read_law", text("pcm_read")}, {"ir_drop", 1.0}}},
      {"pcm", {{"cell.kind", text("phase_change")}, {"read_law", text("device")}, {"ir_drop", 1.0}}},
      {"tile",
       {{"dac.bits", whole(7)},
        {"adc.bits", whole(9)},
        {"adc.range", 12.0},
        {"output_noise", 0.06},
        {"programming_error", 0.0},
        {"read_noise", 0.0}}},
  };
}

}  // namespace lightloop::crossbar
