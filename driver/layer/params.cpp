#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/levels.hpp"
#include "core/mesh_codes.hpp"
#include "driver/layer/state.hpp"

namespace lightloop {

std::vector<ParamInfo> layer_params() {
  const auto text = [](const char* value) { return Value(std::string(value)); };
  return {
      {"cells",
       "",
       text("signed"),
       0,
       0,
       "Rows of the device per output: signed (1), differential (2, for cells that hold no sign), offset (1 and one "
       "reference row for all)",
       {"signed", "differential", "offset"}},
      {"weight_scale",
       "",
       text("matrix"),
       0,
       0,
       "What is scaled to the device's full range: the matrix, or every row",
       {"matrix", "row"}},
      {"weight_limit", "1", 0.0, 0, 1e30, "Weight at full range (meshes: singular value); 0: the largest present"},
      {"noise_management",
       "",
       text("abs_max"),
       0,
       0,
       "Input range: abs_max (of each row), fixed (input_range), running (mean of abs_max over the rows seen; or by "
       "windows, range_rows), learned (by its gradient)",
       {"abs_max", "fixed", "running", "learned"}},
      {"input_range", "1", 1.0, 1e-30, 1e30,
       "Fixed: the input at full drive; running and learned: where it starts (networks: at the largest of the first "
       "batch)"},
      {"memory", "1", 0.99, 0, 1, "Running: weight of the past at each row, or behind each window"},
      {"range_rows", "1", std::int64_t{0}, 0, 1e9,
       "Running: rows of a window, behind which the range moves by the largest size in it, not in evaluation; the "
       "first "
       "one sets it (before, rows have their abs_max, the ADC what calibrate() measured); 0: the input range moves at "
       "every row, in evaluation too"},
      {"range_percentile", "1", 100.0, 1e-3, 100,
       "Of range_rows: the part of a row's numbers, smallest first, that the range is to hold, of the row where that "
       "takes most"},
      {"bound_management",
       "",
       text("iterative"),
       0,
       0,
       "A row whose output meets the ADC's end: none, iterative (again at half drive), worst_case (once, at a drive "
       "that cannot clip); an ADC of fewer than 10 levels: none",
       {"none", "iterative", "worst_case"}},
      {"max_repeats", "1", std::int64_t{10}, 0, 20, "Halvings at most"},
      {"output_range",
       "",
       text("auto"),
       0,
       0,
       "ADC range (the device's adc.range): device (as it is), measured (calibrate() sets it by its answers), learned "
       "(measured, then by its gradient), running (measured, then 5/4 of the answers' size, by range_rows), auto "
       "(measured for tensor trains, whose losses multiply, else device)",
       {"auto", "device", "measured", "learned", "running"}},
      {"compensation",
       "",
       text("global"),
       0,
       0,
       "calibrate(): one gain for all outputs, or one each (column)",
       {"global", "column"}},
      {"backward",
       "",
       text("weights"),
       0,
       0,
       "Way back in training: the weights in memory, the device's twin, or the device itself in its transposed pass",
       {"weights", "twin", "device"}},
      {"twin", "", text(""), 0, 0,
       "Device string whose twin stands for the device's own (sim:MODEL,...), or one for each device; empty: its own"},
      {"update",
       "",
       text("write"),
       0,
       0,
       "Training: weights are written anew at every step, or changed by pulses (program.mode) from where they are; or "
       "the device's programme itself (phases) learns, by its twin's gradients at what was shown or, with the rules "
       "spsa and pepg, by the losses of programmes that are tried",
       {"write", "pulses", "programme"}},
      {"completion",
       "",
       text("plain"),
       0,
       0,
       "Meshes: what weights leave free of them (unused channels, equal singular values) as the decomposition has it, "
       "or "
       "turned at random: correction of splitters reaches that, errors of phases weigh more there",
       {"plain", "random"}},
      {"hardening", "1", 0.0, 0, 1,
       "Tensor trains: relative error expected of a core as it is set; the train is chosen to err least with it"},
      {"calibration_vectors", "1", std::int64_t{64}, 2, 1e6, "Random vectors shown by calibrate()"},
      {"calibration_density", "1", 1.0, 1e-3, 1,
       "Part of the inputs that each of them drives, the others rest: where gains fall with the current of a whole "
       "array (IR drop), that of the inputs to come"},
      {"seed", "1", std::int64_t{0}, 0, 9007199254740992.0,
       "Of the calibration vectors, of rounding updates to pulses and of completion=random"},
      {"devices",
       "",
       text("auto"),
       0,
       0,
       "Networks: a device for each tile of a layer, or one that is written anew for all; auto: each if it is "
       "simulated, or several are named",
       {"auto", "each", "one"}},
      {"noise_words",
       "",
       text("keep"),
       0,
       0,
       "Networks: noise words of signals act as they are written, or are left out because the device has noise of its "
       "own; those of weights always are",
       {"keep", "leave_out"}},
      {"calibrate", "", true, 0, 0, "Networks: calibrate() when their weights are written (in training: only once)"},
  };
}

Weights parse_weights(const std::string& name) {
  return name == "signed" ? Weights::one : name == "differential" ? Weights::differential : Weights::offset;
}

Index rows_needed(Weights weights, Index n_out) {
  if (weights == Weights::differential) return 2 * n_out;
  return weights == Weights::offset ? n_out + 1 : n_out;
}

RowPair rows_of(Weights weights, Index n_out, Index output) {
  if (weights == Weights::differential) return {2 * output, 2 * output + 1};
  return {output, weights == Weights::offset ? n_out : -1};
}

Settings sizes_for_layer(const std::vector<ParamInfo>& device_params, const Settings& user, const Settings& layer,
                         Index n_in, Index n_out) {
  ParamSet params("layer", layer_params());
  params.set(layer);
  Settings sizes;
  for (const ParamInfo& info : device_params) {
    if (user.contains(info.name)) continue;
    const auto at_least = [&](Index size) {
      return std::max(static_cast<std::int64_t>(size), static_cast<std::int64_t>(info.min));
    };
    if (info.name == "input.size") sizes[info.name] = at_least(n_in);
    if (info.name == "output.size")
      sizes[info.name] = at_least(rows_needed(parse_weights(params.text("cells")), n_out));
  }
  return sizes;
}

LayerState::LayerState(Session& s, Index inputs, Index outputs, const Settings& settings)
    : session(s), n_in(inputs), n_out(outputs), params("layer", layer_params()) {
  params.set(settings);
  weights = parse_weights(params.text("cells"));
  const DeviceInfo& info = session.info();
  if (info.kind != "layer" || !info.program)
    throw Unsupported(
        "layer", info.model + " (" + info.kind + ")", "a programmable device of kind \"layer\"",
        "Physics without a programme stands in front of layers (train.map); what projects carries the error "
        "(train.device).");
  if (n_in < 1 || n_out < 1)
    throw ShapeMismatch("layer", std::to_string(n_in) + " -> " + std::to_string(n_out), "at least 1 -> 1");
  const ParamSet& device = session.settings();
  mesh = device.has("mesh.layout");
  if (device.has("tt.rank"))
    train.emplace(info.output.size(), info.input.size(), device.integer("tt.cores"), device.integer("tt.rank"));
  if (!train && params.real("hardening") > 0)
    throw Unsupported("layer.hardening", std::to_string(params.real("hardening")),
                      "0 on " + info.model + ", which is no tensor train");
  const bool learns_itself = params.text("update") == "programme";
  free = learns_itself && mesh && device.text("mesh.layout") == "butterfly";
  if (!free && mesh && device.text("mesh.layout") == "butterfly")
    throw Unsupported("layer on " + info.model, "mesh.layout=butterfly, which holds few matrices", "clements or reck",
                      "The phases of a butterfly are trained: layer.update=programme, ll.torch.Physical.");
  if (mesh && weights != Weights::one)
    throw Unsupported("layer.cells", params.text("cells"), "signed: a mesh has no cells to pair");
  if (mesh && params.text("weight_scale") != "matrix")
    throw Unsupported("layer.weight_scale", params.text("weight_scale"),
                      "matrix: a mesh has one scale, that of its largest singular value");
  if (weights != Weights::one && learns_itself)
    throw Unsupported("layer.update", "programme with layer.cells = " + params.text("cells"),
                      "layer.cells = signed: what pairs of cells learn is no matrix of their codes");
  complex_field = mesh && device.has("field.kind") && device.text("field.kind") == "complex";
  device_rows = rows_needed(weights, n_out);
  if (info.input.size() < n_in || info.output.size() < device_rows)
    throw ShapeMismatch(
        info.model, std::to_string(info.input.size()) + " inputs, " + std::to_string(info.output.size()) + " outputs",
        std::to_string(n_in) + " and " + std::to_string(device_rows) + " needed",
        "Open it with input.size and output.size of at least that.");
  if (complex_field && (info.input.size() != n_in || info.output.size() != n_out))
    throw ShapeMismatch(
        info.model + " with field.kind = complex",
        std::to_string(info.input.size()) + " -> " + std::to_string(info.output.size()) + " codes",
        std::to_string(n_in) + " -> " + std::to_string(n_out) + " wanted",
        "A complex layer fills its device, of 2 channels each way at least: open it with input.size and "
        "output.size of half as many as it has numbers, and give weights [[Re, -Im], [Im, Re]]; in Python "
        "a complex matrix. Networks are real: they stand on field.kind = real.");
  const Index cells = train  ? train->programme()
                      : mesh ? mesh_programme_size(info.input.size() / parts(), info.output.size() / parts())
                             : info.input.size() * info.output.size();
  free = free || (learns_itself && info.program->size() != cells);
  if (!free && info.program->size() != cells)
    throw Unsupported("layer: programme of " + info.model, std::to_string(info.program->size()) + " codes",
                      std::to_string(cells) + (train  ? ": two meshes and attenuators per core"
                                               : mesh ? ": two meshes and attenuators"
                                                      : ": one per output and input"),
                      "No matrix can be written into it: it learns its own programme (layer.update=programme with rule "
                      "spsa, ll.torch.Physical), or stands in front of layers (train.map).");
  range_known = device.has("adc.range");
  if (range_known) range = base_range = device.real("adc.range");
  const std::string& chosen = params.text("output_range");
  const bool measured = chosen == "measured" || chosen == "learned" || chosen == "running";
  if (!range_known && measured)
    throw Unsupported("layer.output_range", chosen, "a device with the setting adc.range; " + info.model + " has none");
  // Nobody shows vectors unasked where a network is told not to calibrate: its range stays the device's.
  const bool calibrates = params.boolean("calibrate");
  if (!calibrates && measured)
    throw InvalidParameter("layer.output_range", chosen + " with layer.calibrate = false",
                           "calibrate() is what measures the range", "Leave layer.calibrate on.");
  sets_range =
      range_known && (calibrates || chosen != "auto") && (chosen == "auto" ? train.has_value() : chosen != "device");
  mid_in = static_cast<double>(info.input.highest() / 2 + 1);
  mid_out = static_cast<double>(info.output.highest() / 2 + 1);
  dac_levels = device.has("dac.levels") ? device.integer("dac.levels") : 0;
  adc_levels = device.has("adc.levels") ? device.integer("adc.levels") : 0;
  faintest = dac_levels == 0 ? 1 : std::floor(mid_in / static_cast<double>(dac_levels - 1)) + 1;
  if (mid_in < 2)
    throw Unsupported("layer: input codes of " + info.model, std::to_string(info.input.bits) + " bit", "at least 2");
  find_laws();
  input.range = input_law.rows > 0 ? 0 : params.real("input_range");
  began = input;
  forget_calibration();
}

bool LayerState::at_end(double code) const {
  if (adc_levels == 0) return std::rint(code) <= 0 || std::rint(code) >= 2 * mid_out - 1;
  return std::abs(nearest_level(code / mid_out - 1, adc_levels)) == 1;
}

double LayerState::driven(double code) const {
  const double sent = std::rint(code);
  return dac_levels == 0 ? sent : nearest_level(sent / mid_in, dac_levels) * mid_in;
}

double LayerState::read(double code) const {
  if (adc_levels == 0) return std::rint(code);
  return std::min(std::rint(nearest_level(code / mid_out, adc_levels) * mid_out), mid_out - 1);
}

void LayerState::forget_calibration() {
  gain.assign(static_cast<std::size_t>(device_rows), 1.0);
  offset.assign(gain.size(), 0.0);
  awaits_weights = false;
  set_calibration({});
}

void LayerState::set_calibration(const LayerCalibration& found) {
  calibration = found;
  report.residual = found.residual;
}

void LayerState::check_programmed() const {
  if (!programmed) throw Error("layer", "nothing was programmed", "", "Call program(weights) first.");
}

void LayerState::check_written() const {
  const std::uint64_t now = session.programme();
  if (now == written) return;
  throw Error("layer on " + session.info().model,
              now == 0 ? "nobody knows what its device holds" : "its device holds another programme by now",
              now == 0 ? "a write has failed since, or a snapshot without a programme was restored"
                       : "another layer, program() or restore() has written it since",
              "program() the weights again, or give every layer a device of its own.");
}

bool LayerState::left_out() const {
  return std::ranges::all_of(scale, [](double one) { return one == 0; });
}

double LayerState::scale_of_zeros() const { return params.text("update") == "write" ? 0 : 1; }

}  // namespace lightloop
