#include <cmath>
#include <filesystem>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "training/layers/architecture.hpp"
#include "training/run_file.hpp"
#include "training/run_layout.hpp"

namespace lightloop {
namespace {

using h5::Reader;

void check_kind(const Reader& file, const std::string& path) {
  if (!file.has_attribute("/", "kind") || file.attribute("/", "kind") != Value(std::string("run")))
    throw FileError(path, "is no run file", "kind = run", "`lightloop train --out run.h5` writes one");
  const Value version = file.attribute("/", "format_version");
  const auto* number = std::get_if<std::int64_t>(&version);
  if (!number || *number < 1 || *number > run_layout::kFormatVersion)
    throw FileError(path, "format version " + to_string(version),
                    "this program reads up to " + std::to_string(run_layout::kFormatVersion),
                    "use the version of lightloop that wrote it");
}

/// One attribute of the kind that T is; integers are promoted to real numbers.
template <class T>
T get(const Reader& file, const std::string& path, const std::string& object, const std::string& name) {
  const Value value = file.attribute(object, name);
  if (const T* found = std::get_if<T>(&value)) return *found;
  if constexpr (std::is_same_v<T, double>)
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  throw FileError(path, object + "/" + name + " = " + to_string(value), "of another kind than expected",
                  "the file is damaged");
}

/// The values as they stand in the file: known names and units, no ranges.
ParamSet stored_parameters(const Reader& file, const std::string& group) {
  std::vector<ParamInfo> infos;
  if (file.exists(group))
    for (const auto& [name, value] : file.parameters(group)) {
      ParamInfo info{.name = name, .unit = "", .default_value = value, .help = "as stored in the run file"};
      if (file.has_attribute(group, name + ".unit")) info.unit = to_string(file.attribute(group, name + ".unit"));
      infos.push_back(std::move(info));
    }
  return {group, std::move(infos)};
}

/// The graph that the layers of a network were made of; null without one.
std::shared_ptr<const Graph> stored_graph(const Reader& file, const std::string& path) {
  if (!file.exists("/network/graph")) return nullptr;
  const auto damaged = [&](const std::string& what) -> FileError {
    return {path, "/network/graph " + what, "", "the file is damaged"};
  };
  const std::vector<double> begin = file.read("/network/graph/begin").values;
  const std::vector<double> neighbour = file.read("/network/graph/neighbour").values;
  const std::vector<double> weight = file.read("/network/graph/weight").values;
  const auto edges = static_cast<double>(neighbour.size());
  if (begin.size() < 2 || begin.front() != 0 || begin.back() != edges || weight.size() != neighbour.size())
    throw damaged("has parts that do not fit");
  Graph graph;
  graph.nodes = static_cast<Index>(begin.size()) - 1;
  for (std::size_t i = 0; i < begin.size(); ++i) {
    if (!(begin[i] >= 0 && begin[i] <= edges) || (i > 0 && begin[i] < begin[i - 1]))
      throw damaged("has rows that do not follow each other");
    graph.begin.push_back(static_cast<Index>(begin[i]));
  }
  for (std::size_t k = 0; k < neighbour.size(); ++k) {
    if (!(neighbour[k] >= 0 && neighbour[k] < static_cast<double>(graph.nodes)) || !std::isfinite(weight[k]))
      throw damaged("names a node that is not there");
    graph.neighbour.push_back(static_cast<std::int32_t>(neighbour[k]));
    graph.weight.push_back(static_cast<float>(weight[k]));
  }
  return std::make_shared<const Graph>(std::move(graph));
}

/// A network of any layers: its text makes the layers, two vectors fill them.
Network stored_model(const Reader& file, const std::string& path, const std::string& text) {
  const std::shared_ptr<const Model> model =
      parse_model(text, {.input = {}, .classes = 0, .graph = stored_graph(file, path)});
  const auto check = [&](const std::string& name, Index count) {
    if (count > 0 && file.shape(name) != std::vector<Index>{count})
      throw FileError(path, name + " has another length than the net needs", std::to_string(count) + " expected",
                      "the file is damaged");
  };
  check("/network/parameters", model->parameters());
  check("/network/state", model->state());
  Network net(model);
  if (model->parameters() > 0) file.read("/network/parameters", net.parameters());
  if (model->state() > 0) file.read("/network/state", net.state());
  return net;
}

Network stored_network(const Reader& file, const std::string& path) {
  const auto text = get<std::string>(file, path, "/network", "net");
  if (!is_widths(text)) return stored_model(file, path, text);
  const std::vector<Index> widths = parse_net(text);
  // before memory is taken for what a damaged attribute claims
  for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
    const std::string name = "/network/weights_" + std::to_string(l + 1);
    if (file.shape(name) != std::vector<Index>{widths[l + 1], widths[l]})
      throw FileError(path, name + " has another shape than the net " + to_string(widths), "", "the file is damaged");
  }
  Network net(widths, activation_from(get<std::string>(file, path, "/network", "activation")));
  for (Index l = 0; l < net.layers(); ++l) {
    const View<float> w = net.weights(l);
    const std::string number = std::to_string(l + 1);
    file.read("/network/weights_" + number, std::span(w.data(), static_cast<std::size_t>(w.size())));
    file.read("/network/bias_" + number, net.bias(l));
  }
  return net;
}

std::vector<std::byte> stored_bytes(const Reader& file, const std::string& path) {
  if (!file.exists(path)) return {};
  const std::vector<std::uint8_t> bytes = file.read_bytes(path);
  const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
  return {begin, begin + bytes.size()};
}

/// What older files do not have.
void read_own(const Reader& file, const std::string& path, RunFile& run) {
  const std::string group = "/resume";
  if (file.exists(group + "/layer_loss")) run.position.layer_loss = file.read(group + "/layer_loss").values;
  if (file.has_attribute(group, "layer_passes"))
    run.touch = {get<std::int64_t>(file, path, group, "layer_passes"),
                 get<std::int64_t>(file, path, group, "projections"),
                 get<std::int64_t>(file, path, group, "layer_writes")};
  if (!file.exists("/network/rule_parameters")) return;
  const std::vector<Index> shape = file.shape("/network/rule_parameters");
  if (shape.size() != 1)
    throw FileError(path, "/network/rule_parameters has " + std::to_string(shape.size()) + " axes", "1 expected",
                    "the file is damaged");
  const Index count = shape[0];
  run.own.resize(1, count);
  file.read("/network/rule_parameters", run.own.flat());
  run.own_optimizer.steps = get<std::int64_t>(file, path, group, "own_optimizer_steps");
  for (int i = 1; file.exists(group + "/own_moment_" + std::to_string(i)); ++i)
    file.read(group + "/own_moment_" + std::to_string(i), run.own_optimizer.moments.emplace_back(1, count).flat());
}

/// Older files hold the numbers one after the other, 8 bytes each.
std::optional<Meter> stored_meter(const Reader& file, const std::string& path, const std::string& group) {
  const std::vector<std::byte> old = stored_bytes(file, group + "/measured");
  if (old.empty() && !file.exists(group + "/meter")) return std::nullopt;
  Meter meter;
  if (!old.empty()) {
    std::size_t wanted = 0;
    run_layout::each_number(meter, [&wanted]<class T>(const char*, const T&) { wanted += sizeof(T); });
    if (old.size() != wanted)
      throw FileError(path, group + "/measured has " + std::to_string(old.size()) + " bytes",
                      std::to_string(wanted) + " expected", "the file is damaged");
    ByteReader bytes(old, "meter of rule.matrix_from");
    run_layout::each_number(meter, [&bytes]<class T>(const char*, T& number) { number = bytes.get<T>(); });
  } else {
    run_layout::each_number(
        meter, [&]<class T>(const char* name, T& number) { number = get<T>(file, path, group + "/meter", name); });
  }
  return meter;
}

void read_resume_state(const Reader& file, const std::string& path, RunFile& run) {
  const std::string group = "/resume";
  RunPosition& at = run.position;
  run.data_sha256 = get<std::string>(file, path, group, "data_sha256");
  at.epoch = get<std::int64_t>(file, path, group, "epoch");
  at.step = get<std::int64_t>(file, path, group, "step");
  at.loss_sum = get<double>(file, path, group, "loss_sum");
  at.samples = get<double>(file, path, group, "samples");
  at.active = get<double>(file, path, group, "active");
  at.train_s = get<double>(file, path, group, "train_s");
  at.trained = get<std::int64_t>(file, path, group, "trained");
  if (file.has_attribute(group, "waited_s")) at.waited_s = get<double>(file, path, group, "waited_s");
  run.optimizer.steps = get<std::int64_t>(file, path, group, "optimizer_steps");
  for (const auto& [name, sums] : {std::pair{"/alignment", &at.alignment}, {"/gradient", &at.gradient_alignment}}) {
    const std::string place = group + name;
    if (!file.exists(place + "_cosines")) continue;
    sums->cosines = file.read(place + "_cosines").values;
    sums->counts = file.read(place + "_counts").values;
  }
  read_own(file, path, run);
  for (int i = 1; file.exists(group + "/moment_" + std::to_string(i)); ++i) {
    Matrix<float>& moment = run.optimizer.moments.emplace_back(1, static_cast<Index>(run.net.parameters().size()));
    file.read(group + "/moment_" + std::to_string(i), moment.flat());
  }
  run.session = stored_bytes(file, group + "/session");
  run.projection_state = stored_bytes(file, group + "/projection");
  run.feedback_state = stored_bytes(file, group + "/feedback");
  run.rule_state = stored_bytes(file, group + "/rule");
  run.layers_state = stored_bytes(file, group + "/layers");
  run.map_state = stored_bytes(file, group + "/map");
  const bool has_layers = run.train.has("layers") && !run.train.text("layers").empty();
  if (!has_layers && run.map_state.empty()) run.map_state.swap(run.layers_state);  // where earlier versions put it
  if (file.exists(group + "/fidelity_matrix")) {
    const std::vector<Index> shape = file.shape(group + "/fidelity_matrix");
    if (shape.size() != 2)
      throw FileError(path, group + "/fidelity_matrix has " + std::to_string(shape.size()) + " axes", "2 expected",
                      "the file is damaged");
    run.reference.resize(shape[0], shape[1]);
    file.read(group + "/fidelity_matrix", run.reference.flat());
  }
  run.measured = stored_meter(file, path, group);
}

/// Some values per epoch, as many as there are.
void read_per_layer(const Reader& file, const std::string& path, const std::string& name, RunFile& run,
                    std::vector<double> EpochResult::*member) {
  const std::string place = "/curves/" + name;
  if (!file.exists(place)) return;
  const h5::Array found = file.read(place);
  const std::size_t each = found.values.size() / std::max<std::size_t>(1, run.epochs.size());
  if (each * run.epochs.size() != found.values.size())
    throw FileError(path, place + " has " + std::to_string(found.values.size()) + " values",
                    "a multiple of " + std::to_string(run.epochs.size()) + " expected", "the file is damaged");
  for (std::size_t i = 0; i < run.epochs.size(); ++i)
    for (std::size_t l = 0; l < each; ++l) (run.epochs[i].*member).push_back(found.values[i * each + l]);
}

void read_curves(const Reader& file, const std::string& path, RunFile& run) {
  if (file.exists("/curves/loss")) run.step_loss = file.read("/curves/loss").values;
  if (!file.exists("/curves/epoch")) return;
  const std::vector<double> numbers = file.read("/curves/epoch").values;
  run.epochs.resize(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (!(numbers[i] >= 0 && numbers[i] < 1e9))
      throw FileError(path, "/curves/epoch holds " + to_string(Value(numbers[i])), "", "the file is damaged");
    run.epochs[i].epoch = static_cast<Index>(numbers[i]);
  }
  for (const auto& column : run_layout::kColumns) {
    const std::string name = std::string("/curves/") + column.name;
    if (!file.exists(name)) continue;  // an older file
    const std::vector<double> values = file.read(name).values;
    for (std::size_t i = 0; i < std::min(values.size(), numbers.size()); ++i) column.set(run.epochs[i], values[i]);
  }
  read_per_layer(file, path, "layer_loss", run, &EpochResult::layer_loss);
  read_per_layer(file, path, "probe", run, &EpochResult::probe);
  read_per_layer(file, path, "cka", run, &EpochResult::cka);
  read_per_layer(file, path, "weight_alignment", run, &EpochResult::weight_alignment);
  read_per_layer(file, path, "gradient_alignment", run, &EpochResult::gradient_alignment);
  if (!file.exists("/curves/alignment")) return;
  const h5::Array alignment = file.read("/curves/alignment");
  const auto layers = static_cast<std::size_t>(run.net.hidden_layers());
  if (alignment.values.size() != layers * numbers.size())
    throw FileError(path, "/curves/alignment has " + std::to_string(alignment.values.size()) + " values",
                    std::to_string(layers * numbers.size()) + " expected", "the file is damaged");
  for (std::size_t i = 0; i < numbers.size(); ++i)
    for (std::size_t l = 0; l < layers; ++l) run.epochs[i].alignment.push_back(alignment.values[i * layers + l]);
}

/// 0 in older files.
std::int64_t stored_writes(const Reader& file, const std::string& path, const std::string& group) {
  return file.has_attribute(group, "writes") ? get<std::int64_t>(file, path, group, "writes") : 0;
}

void read_device(const Reader& file, const std::string& path, RunFile& run) {
  for (auto [group, health] : {std::pair{"/telemetry/start", &run.health_start}, {"/telemetry/end", &run.health_end}})
    *health = {get<double>(file, path, group, "dark_level"), get<double>(file, path, group, "saturation"),
               get<double>(file, path, group, "repeat_correlation")};
  RunDevice& about = run.about_device;
  about.address = get<std::string>(file, path, "/device", "address");
  about.kind = get<std::string>(file, path, "/device", "kind");
  about.model = get<std::string>(file, path, "/device", "model");
  about.serial = get<std::string>(file, path, "/device", "serial");
  about.version = get<std::string>(file, path, "/device", "version");
  about.calibration_id = get<std::string>(file, path, "/device", "calibration_id");
  about.frames = get<std::int64_t>(file, path, "/device", "frames");
  about.device_s = get<double>(file, path, "/device", "seconds");
  about.device_j = get<double>(file, path, "/device", "joules");
  about.writes = stored_writes(file, path, "/device");
  about.saturation = get<double>(file, path, "/device", "saturation");
  for (const char* part : {"projection", "layers", "map"})
    if (const std::string group = std::string("/device/") + part; file.exists(group))
      about.shares.push_back({part, get<std::string>(file, path, group, "address"),
                              get<std::int64_t>(file, path, group, "frames"), get<double>(file, path, group, "seconds"),
                              get<double>(file, path, group, "joules"), stored_writes(file, path, group)});
  if (file.has_attribute("/telemetry", "warnings")) run.warnings = file.attribute_texts("/telemetry", "warnings");
  if (!file.has_attribute("/device", "retries")) return;  // older files do not have these
  about.retries = get<std::int64_t>(file, path, "/device", "retries");
  about.discarded = get<std::int64_t>(file, path, "/device", "discarded");
  about.losses = get<std::int64_t>(file, path, "/device", "losses");
  about.reopened = get<std::int64_t>(file, path, "/device", "reopened");
  if (!file.has_attribute("/device", "clipped_inputs")) return;  // of runs behind a map
  about.clipped_inputs = get<std::int64_t>(file, path, "/device", "clipped_inputs");
  about.saturated = get<std::int64_t>(file, path, "/device", "saturated");
}

}  // namespace

RunFile load_run(const std::string& path) {
  const Reader file(path);
  check_kind(file, path);
  RunFile run;
  run.train = stored_parameters(file, "/settings/train");
  run.rule = stored_parameters(file, "/settings/rule");
  run.projection = stored_parameters(file, "/settings/projection");
  run.device = stored_parameters(file, "/settings/device");
  if (file.exists("/settings/asked"))
    for (const std::string& key : file.attribute_names("/settings/asked"))
      run.asked[key] = file.attribute("/settings/asked", key);
  run.complete = get<bool>(file, path, "/", "complete");
  run.net = stored_network(file, path);
  for (const std::byte character : stored_bytes(file, "/network/alphabet"))
    run.alphabet += static_cast<char>(character);
  read_resume_state(file, path, run);
  // files of older versions leave out what belongs to the rule
  if (const auto stored = get<std::string>(file, path, "/", "weights_sha256");
      stored != weights_sha256(run) && stored != weights_sha256(run.net))
    throw FileError(path, "weights do not have the stored SHA-256", "", "the file is damaged: take another copy");
  read_curves(file, path, run);
  read_device(file, path, run);
  return run;
}

RunState run_state(const std::string& path) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  if (!std::filesystem::exists(status)) return RunState::missing;
  if (!std::filesystem::is_regular_file(status)) return RunState::foreign;  // opening a pipe would wait for a writer
  try {
    const Reader file(path);
    check_kind(file, path);
    return get<bool>(file, path, "/", "complete") ? RunState::complete : RunState::unfinished;
  } catch (const Error&) {
    return RunState::foreign;
  }
}

void refuse_existing(const std::string& out) {
  constexpr const char* kElse = "Name another file, or replace it with --force (train.force=true).";
  switch (out.empty() ? RunState::missing : run_state(out)) {
    case RunState::missing:
      return;
    case RunState::unfinished:
      throw FileError(out, "holds a run that was stopped", "",
                      "Go on with --resume " + out + ", or start anew with --force (train.force=true).");
    case RunState::complete:
      throw FileError(out, "holds a finished run", "", kElse);
    case RunState::foreign:
      throw FileError(out, "exists, and is no run file", "", kElse);
  }
}

Network load_network(const std::string& path) {
  const Reader file(path);
  check_kind(file, path);
  return stored_network(file, path);
}

}  // namespace lightloop
