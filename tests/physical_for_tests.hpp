#pragma once
// For tests only: what tests of physics in front of layers start from.
#include "core/array.hpp"
#include "core/random.hpp"
#include "devices/catalogue.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/trainer.hpp"

namespace lightloop::test {

inline Registry catalogue() {
  Registry registry;
  add_devices(registry);
  return registry;
}

/// Four epochs on clusters, `map` in front of chosen layers, `more` laid over that.
inline TrainResult train_behind(const std::string& map, const TrainSettings& more, const TrainObserver& observer = {}) {
  TrainSettings s{
      {"train.epochs", std::int64_t{4}}, {"train.lr", 1e-2}, {"train.batch", std::int64_t{100}}, {"train.map", map}};
  for (const auto& [key, value] : more) s[key] = value;
  return train(s, cluster_task(), catalogue(), observer);
}

/// Normal numbers; `set` names them.
inline Matrix<float> numbers(Index rows, Index cols, std::uint64_t set, float size = 1) {
  Matrix<float> x(rows, cols);
  for (Index r = 0; r < rows; ++r) Stream(5, set, Purpose::user).normal(static_cast<std::uint64_t>(r), 0, x.row(r));
  for (float& v : x.flat()) v *= size;
  return x;
}

}  // namespace lightloop::test
