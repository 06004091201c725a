// A run file of whose contents nothing can be relied upon: attributes and datasets are taken from the input, inside a
// sound HDF5 file. Loaded as a run, as a network and for what can be done with it, it may only throw a
// lightloop::Error.
#include <map>
#include <vector>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "tests/fuzz/script.hpp"
#include "training/run_file.hpp"

namespace lightloop {
namespace {
fuzz::Script script;

/// A small run, as save_run writes it: attributes by "object:name", datasets by path.
std::map<std::string, Value> sound_attributes(const Network& net) {
  std::map<std::string, Value> all = {{"/:kind", std::string("run")},
                                      {"/:format_version", std::int64_t{1}},
                                      {"/:complete", true},
                                      {"/:weights_sha256", weights_sha256(net)},
                                      {"/settings/train:seed", std::int64_t{1}},
                                      {"/settings/train:rule", std::string("dfa")},
                                      {"/settings/train:lr", 1e-3},
                                      {"/settings/train:lr.unit", std::string("1")},
                                      {"/settings/asked:device.seed", std::int64_t{2}},
                                      {"/network:net", std::string("3-2-2")},
                                      {"/network:activation", std::string("tanh")},
                                      {"/resume:data_sha256", std::string("00")}};
  for (const char* name : {"epoch", "step", "trained", "optimizer_steps", "own_optimizer_steps", "layer_passes",
                           "projections", "layer_writes"})
    all[std::string("/resume:") + name] = std::int64_t{1};
  for (const char* name : {"loss_sum", "samples", "active", "train_s"}) all[std::string("/resume:") + name] = 0.5;
  for (const char* part : {"start", "end"})
    for (const char* name : {"dark_level", "saturation", "repeat_correlation"})
      all[std::string("/telemetry/") + part + ":" + name] = 0.5;
  for (const char* name : {"address", "kind", "model", "serial", "version", "calibration_id"})
    all[std::string("/device:") + name] = std::string("x");
  for (const char* name : {"frames", "retries", "discarded", "losses", "reopened"})
    all[std::string("/device:") + name] = std::int64_t{3};
  for (const char* name : {"seconds", "joules", "saturation"}) all[std::string("/device:") + name] = 0.5;
  return all;
}

template <class T>
void dataset(h5::Writer& file, const std::string& path, std::vector<Index> shape, std::span<const T> sound = {}) {
  const std::uint8_t how = script.byte();
  if (how == 255) return;  // left out
  if (how == 254) shape.push_back(1 + script.byte() % 3);
  if (how == 253) shape[0] = script.byte() % 5;
  std::size_t size = 1;
  for (const Index n : shape) size *= static_cast<std::size_t>(n);
  std::vector<T> values(size);
  for (std::size_t i = 0; i < size; ++i) {
    values[i] = i < sound.size() ? sound[i] : T{1};
    if (how > 200 && how < 253) values[i] = script.number<T>();
  }
  file.write(path, std::span<const T>(values), shape, "1");
}

void write(const std::string& path) {
  const Network net({3, 2, 2}, Activation::tanh);
  auto attributes = sound_attributes(net);
  std::vector<std::string> keys;
  for (const auto& [key, value] : attributes) keys.push_back(key);
  for (int changes = script.byte() % 8; changes > 0; --changes) {
    const std::string& key = keys[script.byte() % keys.size()];
    if (script.byte() % 4 == 0)
      attributes.erase(key);
    else
      attributes[key] = script.value();
  }
  h5::Writer file(path);
  for (const auto& [key, value] : attributes)
    file.attribute(key.substr(0, key.find(':')), key.substr(key.find(':') + 1), value);
  for (Index layer = 0; layer < net.layers(); ++layer) {
    const std::string number = std::to_string(layer + 1);
    const auto w = net.weights(layer);
    dataset<float>(file, "/network/weights_" + number, {w.rows(), w.cols()},
                   std::span(w.data(), static_cast<std::size_t>(w.size())));
    const auto b = net.bias(layer);
    dataset<float>(file, "/network/bias_" + number, {static_cast<Index>(b.size())}, b);
  }
  const Index epochs = script.byte() % 4;
  dataset<double>(file, "/curves/epoch", {epochs});
  for (const char* name : {"train_loss", "test_accuracy", "learning_rate", "active_fraction", "device_frames",
                           "device_s", "device_j", "train_s"})
    dataset<double>(file, std::string("/curves/") + name, {epochs});
  dataset<double>(file, "/curves/alignment", {epochs, 1});
  dataset<double>(file, "/curves/layer_loss", {epochs, 2});
  dataset<double>(file, "/curves/loss", {4});
  dataset<float>(file, "/resume/moment_1", {static_cast<Index>(net.parameters().size())});
  dataset<float>(file, "/network/rule_parameters", {5});
  dataset<float>(file, "/resume/own_moment_1", {5});
  dataset<double>(file, "/resume/layer_loss", {2});
  dataset<double>(file, "/resume/alignment_cosines", {1});
  dataset<double>(file, "/resume/alignment_counts", {1});
  dataset<std::uint8_t>(file, "/resume/session", {8});
  dataset<std::uint8_t>(file, "/resume/layers", {8});
  file.commit();
}
}  // namespace
}  // namespace lightloop

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lightloop;
  static const std::string path = fuzz::scratch_file(".h5");
  script = fuzz::Script(data, size);
  fuzz::attempt([&] { write(path); });
  fuzz::attempt([&] { result_of(load_run(path), path); });
  fuzz::attempt([&] { load_network(path); });
  run_state(path);
  return 0;
}
