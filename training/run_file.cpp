#include "training/run_file.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/hdf5.hpp"
#include "training/layers/graph.hpp"
#include "training/run_layout.hpp"

namespace lightloop {
namespace {

using h5::Writer;
using run_layout::kColumns;

void write_bytes(Writer& file, const std::string& path, const std::vector<std::byte>& bytes) {
  if (bytes.empty()) return;
  file.write(path, std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()),
             {static_cast<Index>(bytes.size())}, "");
}

void write_settings(Writer& file, const RunFile& run) {
  file.parameters("/settings/train", run.train);
  file.parameters("/settings/rule", run.rule);
  file.parameters("/settings/projection", run.projection);
  file.parameters("/settings/device", run.device);
  for (const auto& [key, value] : run.asked) file.attribute("/settings/asked", key, value);
}

void write_graph(Writer& file, const Graph& graph) {
  const auto integers = [&file](const std::string& path, const auto& all) {
    const std::vector<std::int64_t> values(all.begin(), all.end());
    file.write(path, std::span<const std::int64_t>(values), {static_cast<Index>(values.size())}, "1");
  };
  integers("/network/graph/begin", graph.begin);
  integers("/network/graph/neighbour", graph.neighbour);
  file.write("/network/graph/weight", std::span<const float>(graph.weight), {graph.edges()}, "1");
}

void write_network(Writer& file, const Network& net) {
  file.attribute("/network", "net", net.text());
  if (net.model()) {
    const auto count = [](std::span<const float> all) { return static_cast<Index>(all.size()); };
    file.write("/network/parameters", net.parameters(), {count(net.parameters())}, "1");
    if (!net.state().empty()) file.write("/network/state", net.state(), {count(net.state())}, "1");
    if (net.model()->graph()) write_graph(file, *net.model()->graph());
    return;
  }
  file.attribute("/network", "activation", to_string(net.hidden_activation()));
  for (Index l = 0; l < net.layers(); ++l) {
    const View<const float> w = net.weights(l);
    const std::span<const float> b = net.bias(l);
    const std::string number = std::to_string(l + 1);
    file.write("/network/weights_" + number, std::span(w.data(), static_cast<std::size_t>(w.size())),
               {w.rows(), w.cols()}, "1");
    file.write("/network/bias_" + number, b, {static_cast<Index>(b.size())}, "1");
  }
}

/// Sums or means per layer; nothing for a rule that has none.
void write_layers(Writer& file, const std::string& path, const std::vector<double>& values) {
  if (!values.empty()) file.write(path, std::span(values), {static_cast<Index>(values.size())}, "1");
}

/// The rule's own parameters are part of the trained network, their moments are not.
void write_own(Writer& file, const RunFile& run) {
  if (run.own.size() == 0) return;
  file.write("/network/rule_parameters", run.own.flat(), {run.own.size()}, "1");
  file.attribute("/resume", "own_optimizer_steps", Value(run.own_optimizer.steps));
  for (std::size_t i = 0; i < run.own_optimizer.moments.size(); ++i) {
    const Matrix<float>& moment = run.own_optimizer.moments[i];
    file.write("/resume/own_moment_" + std::to_string(i + 1), moment.flat(), {moment.size()}, "1");
  }
}

void write_resume_state(Writer& file, const RunFile& run) {
  const RunPosition& at = run.position;
  file.attribute("/resume", "data_sha256", Value(run.data_sha256));
  file.attribute("/resume", "epoch", Value(std::int64_t{at.epoch}));
  file.attribute("/resume", "step", Value(std::int64_t{at.step}));
  file.attribute("/resume", "loss_sum", Value(at.loss_sum));
  file.attribute("/resume", "samples", Value(at.samples));
  file.attribute("/resume", "active", Value(at.active));
  file.attribute("/resume", "train_s", Value(at.train_s));
  file.attribute("/resume", "waited_s", Value(at.waited_s));
  file.attribute("/resume", "trained", Value(at.trained));
  file.attribute("/resume", "optimizer_steps", Value(run.optimizer.steps));
  file.attribute("/resume", "layer_passes", Value(run.touch.passes));
  file.attribute("/resume", "projections", Value(run.touch.projections));
  file.attribute("/resume", "layer_writes", Value(run.touch.writes));
  write_layers(file, "/resume/layer_loss", at.layer_loss);
  write_own(file, run);
  for (const auto& [name, sums] : {std::pair{"alignment", &at.alignment}, {"gradient", &at.gradient_alignment}}) {
    const auto layers = static_cast<Index>(sums->cosines.size());
    if (layers == 0) continue;
    const std::string place = std::string("/resume/") + name;
    file.write(place + "_cosines", std::span<const double>(sums->cosines), {layers}, "1");
    file.write(place + "_counts", std::span<const double>(sums->counts), {layers}, "1");
  }
  for (std::size_t i = 0; i < run.optimizer.moments.size(); ++i) {
    const Matrix<float>& moment = run.optimizer.moments[i];
    file.write("/resume/moment_" + std::to_string(i + 1), moment.flat(), {moment.size()}, "1");
  }
  write_bytes(file, "/resume/session", run.session);
  write_bytes(file, "/resume/projection", run.projection_state);
  write_bytes(file, "/resume/feedback", run.feedback_state);
  write_bytes(file, "/resume/rule", run.rule_state);
  write_bytes(file, "/resume/layers", run.layers_state);
  write_bytes(file, "/resume/map", run.map_state);
  if (run.reference.size() > 0)
    file.write("/resume/fidelity_matrix", run.reference.flat(), {run.reference.rows(), run.reference.cols()}, "1");
  if (run.measured)
    run_layout::each_number(
        *run.measured, [&](const char* name, auto number) { file.attribute("/resume/meter", name, Value(number)); });
}

void write_layer_losses(Writer& file, const RunFile& run) {
  const auto layers = static_cast<Index>(run.epochs.front().layer_loss.size());
  if (layers == 0) return;
  std::vector<double> losses;
  for (const EpochResult& epoch : run.epochs)
    losses.insert(losses.end(), epoch.layer_loss.begin(), epoch.layer_loss.end());
  file.write("/curves/layer_loss", std::span<const double>(losses), {static_cast<Index>(run.epochs.size()), layers},
             "1");
  file.dimension("/curves/layer_loss", 0, "/curves/epoch");
}

/// Numbers that only some epochs may have: a run that was resumed with or without them, or from an older version.
/// `layers` each way, along `axes`; nothing where no epoch has any.
void write_each(Writer& file, const RunFile& run, const std::string& name, std::vector<double> EpochResult::*member,
                Index layers, int axes) {
  std::size_t each = 0;
  for (const EpochResult& epoch : run.epochs) each = std::max(each, (epoch.*member).size());
  if (each == 0) return;
  std::vector<double> values;
  for (const EpochResult& epoch : run.epochs) {
    const std::vector<double>& now = epoch.*member;
    now.size() == each ? values.insert(values.end(), now.begin(), now.end())
                       : values.insert(values.end(), each, std::nan(""));
  }
  std::vector<Index> shape(static_cast<std::size_t>(axes) + 1, layers);
  shape[0] = static_cast<Index>(run.epochs.size());
  const std::string path = "/curves/" + name;
  file.write(path, std::span<const double>(values), shape, "1");
  file.dimension(path, 0, "/curves/epoch");
}

void write_curves(Writer& file, const RunFile& run) {
  if (!run.step_loss.empty()) {
    const auto steps = static_cast<Index>(run.step_loss.size());
    std::vector<std::int64_t> numbers(run.step_loss.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::int64_t>(i) + 1;
    file.write("/curves/step", std::span<const std::int64_t>(numbers), {steps}, "1");
    file.write("/curves/loss", std::span<const double>(run.step_loss), {steps}, "1");
    file.dimension("/curves/loss", 0, "/curves/step");
  }
  if (run.epochs.empty()) return;
  const auto epochs = static_cast<Index>(run.epochs.size());
  std::vector<double> values(run.epochs.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(run.epochs[i].epoch);
  file.write("/curves/epoch", std::span<const double>(values), {epochs}, "1");
  for (const auto& column : kColumns) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = column.get(run.epochs[i]);
    if (column.optional && std::isnan(values.front())) continue;
    const std::string path = std::string("/curves/") + column.name;
    file.write(path, std::span<const double>(values), {epochs}, column.unit);
    file.dimension(path, 0, "/curves/epoch");
  }
  write_layer_losses(file, run);
  const Index hidden = run.net.hidden_layers();
  write_each(file, run, "probe", &EpochResult::probe, hidden, 1);
  write_each(file, run, "cka", &EpochResult::cka, hidden, 2);
  write_each(file, run, "weight_alignment", &EpochResult::weight_alignment, hidden, 1);
  write_each(file, run, "gradient_alignment", &EpochResult::gradient_alignment, run.net.layers(), 1);
  const auto layers = static_cast<Index>(run.epochs.front().alignment.size());
  if (layers == 0) return;
  std::vector<double> alignment, numbers;
  for (const EpochResult& epoch : run.epochs)
    alignment.insert(alignment.end(), epoch.alignment.begin(), epoch.alignment.end());
  for (Index l = 1; l <= layers; ++l) numbers.push_back(static_cast<double>(l));
  file.write("/curves/hidden_layer", std::span<const double>(numbers), {layers}, "1");
  file.write("/curves/alignment", std::span<const double>(alignment), {epochs, layers}, "1");
  file.dimension("/curves/alignment", 0, "/curves/epoch");
  file.dimension("/curves/alignment", 1, "/curves/hidden_layer");
}

void write_device(Writer& file, const RunFile& run) {
  for (const auto& [name, health] :
       {std::pair{"/telemetry/start", &run.health_start}, {"/telemetry/end", &run.health_end}}) {
    file.attribute(name, "dark_level", Value(health->dark_level));
    file.attribute(name, "saturation", Value(health->saturation));
    file.attribute(name, "repeat_correlation", Value(health->repeat_correlation));
  }
  const RunDevice& about = run.about_device;
  file.attribute("/device", "address", Value(about.address));
  file.attribute("/device", "kind", Value(about.kind));
  file.attribute("/device", "model", Value(about.model));
  file.attribute("/device", "serial", Value(about.serial));
  file.attribute("/device", "version", Value(about.version));
  file.attribute("/device", "calibration_id", Value(about.calibration_id));
  file.attribute("/device", "frames", Value(about.frames));
  file.attribute("/device", "seconds", Value(about.device_s));
  file.attribute("/device", "joules", Value(about.device_j));
  file.attribute("/device", "writes", Value(about.writes));
  for (const DeviceShare& share : about.shares) {
    const std::string group = "/device/" + share.part;
    file.attribute(group, "address", Value(share.address));
    file.attribute(group, "frames", Value(share.frames));
    file.attribute(group, "seconds", Value(share.seconds));
    file.attribute(group, "joules", Value(share.joules));
    file.attribute(group, "writes", Value(share.writes));
  }
  file.attribute("/device", "saturation", Value(about.saturation));
  file.attribute("/device", "retries", Value(about.retries));
  file.attribute("/device", "discarded", Value(about.discarded));
  file.attribute("/device", "losses", Value(about.losses));
  file.attribute("/device", "reopened", Value(about.reopened));
  if (run.train.has("map") && !run.train.text("map").empty()) {
    file.attribute("/device", "clipped_inputs", Value(about.clipped_inputs));
    file.attribute("/device", "saturated", Value(about.saturated));
  }
  if (!run.warnings.empty()) file.attribute("/telemetry", "warnings", run.warnings);
}

std::string sha256_of(const Network& net, std::span<const float> own) {
  static_assert(std::endian::native == std::endian::little, "the hash is defined on little-endian floats");
  if (net.state().empty() && own.empty()) return sha256(std::as_bytes(net.parameters()));
  std::vector<float> all(net.parameters().begin(), net.parameters().end());
  all.insert(all.end(), net.state().begin(), net.state().end());
  all.insert(all.end(), own.begin(), own.end());
  return sha256(std::as_bytes(std::span(all)));
}

}  // namespace

std::string weights_sha256(const Network& net) { return sha256_of(net, {}); }

std::string weights_sha256(const RunFile& run) { return sha256_of(run.net, run.own.flat()); }

void save_run(const RunFile& run, const std::string& path) {
  Writer file(path);
  file.attribute("/", "kind", Value(std::string("run")));
  file.attribute("/", "format_version", Value(run_layout::version_of(run.net)));
  file.attribute("/", "creator", Value(std::string("lightloop ") + LIGHTLOOP_VERSION));
  file.attribute("/", "title", Value(title_of(run)));
  file.attribute("/", "complete", Value(run.complete));
  file.attribute("/", "seed", Value(run.train.integer("seed")));
  file.attribute("/", "weights_sha256", Value(weights_sha256(run)));
  write_settings(file, run);
  write_network(file, run.net);
  const std::span<const std::byte> alphabet = std::as_bytes(std::span(run.alphabet));
  write_bytes(file, "/network/alphabet", {alphabet.begin(), alphabet.end()});
  write_curves(file, run);
  write_device(file, run);
  write_resume_state(file, run);
  file.commit();
}

}  // namespace lightloop
