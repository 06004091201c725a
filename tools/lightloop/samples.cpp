#include "tools/lightloop/samples.hpp"

#include "core/error.hpp"
#include "driver/api/opening.hpp"
#include "training/datasets/readers.hpp"
#include "training/evaluate.hpp"

namespace lightloop::command {
namespace {
Dataset samples(const std::string& name, const std::string& folder, std::uint64_t seed) {
  if (name.ends_with(".csv")) return read_csv(name);
  if (name.ends_with(".h5") && !hdf5_has_samples(name, "/test")) return read_hdf5(name, "/");
  return load_dataset(name, folder, seed).test;
}

/// A text that says no window, in windows of what the network was trained on.
std::string windowed(const std::string& name, const RunFile& run) {
  const bool whole = name == "shakespeare" || name.ends_with(".txt");
  return whole && !run.alphabet.empty() ? name + ":" + std::to_string(run.net.widths().front()) : name;
}
}  // namespace

Dataset samples_of(const RunFile& run, const std::string& data, const std::string& data_dir) {
  const std::string name = data.empty() ? run.train.text("dataset") : data;
  const std::string folder = data_dir.empty() ? run.train.text("data_dir") : data_dir;
  const auto seed = static_cast<std::uint64_t>(run.train.integer("seed"));
  Dataset test =
      data.empty() ? load_dataset(windowed(name, run), folder, seed).test : samples(windowed(name, run), folder, seed);
  test.name = name;
  if (!run.alphabet.empty() && !test.alphabet.empty()) recode(test, run.alphabet);
  return test;
}

std::unique_ptr<Rule> rule_of(const RunFile& run, LayerProducts* layers, PhysicalMap map) {
  return answering_rule(run.net, run.train.text("rule"), run.rule.all(),
                        static_cast<std::uint64_t>(run.train.integer("seed")), run.own.flat(), layers, std::move(map));
}

std::string said(const RunFile& run, const char* key) { return run.train.has(key) ? run.train.text(key) : ""; }

std::unique_ptr<PhysicalMaps> physics_of(const RunFile& run, const std::string& name, const Registry& registry,
                                         const std::string& device, Settings settings) {
  if (device.empty()) return nullptr;
  if (takes_seed(registry, device)) settings["seed"] = run.train.integer("seed");
  auto maps = std::make_unique<PhysicalMaps>(registry, device, settings, run.net, map_options(run.train));
  if (run.map_state.empty())
    throw InvalidParameter(name, "holds no state of its map", "it was not trained by a step",
                           "Train it further with lightloop train --resume.");
  if (device == said(run, "map")) maps->restore_session(run.map_state);
  maps->restore_calibration(run.map_state);
  maps->keep_calibration();
  return maps;
}

std::unique_ptr<Rule> rule_behind(const RunFile& run, PhysicalMaps& maps, LayerProducts* layers) {
  if (run.net.model()) return rule_of(run, layers ? layers : &maps);
  return rule_of(run, layers, maps.as_map());
}

}  // namespace lightloop::command
