#pragma once
// Data of tests: a graph of papers that mostly cite their own group.
#include "core/random.hpp"
#include "training/layers/graph.hpp"
#include "training/trainer.hpp"

namespace lightloop {

inline constexpr Index kNodes = 60, kGroups = 3, kWords = 40;

/// Papers that mostly cite their own group; a few words each, hardly telling.
inline TrainTest citations() {
  const Stream draws(8, 0, Purpose::user);
  Dataset all;
  all.name = all.source = "citations";
  all.sample_shape = {kWords};
  all.classes = kGroups;
  all.bytes = Matrix<std::uint8_t>(kNodes, kWords);
  std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
  for (std::int32_t i = 0; i < kNodes; ++i) {
    all.labels.push_back(std::uint8_t(i % kGroups));
    all.row_scale.push_back(0.5f);
    all.bytes(i, Index(draws.uniform(std::uint64_t(i), 1000) * kWords)) = 1;
    if (i % 4 != 0) all.bytes(i, i % kGroups) = 1;
    for (std::int32_t j = 0; j < i; ++j)
      if (draws.uniform(std::uint64_t(i), std::uint64_t(j)) < (i % kGroups == j % kGroups ? 0.25 : 0.01))
        pairs.emplace_back(i, j);
  }
  all.graph = std::make_shared<const Graph>(undirected_graph(kNodes, pairs));
  const auto part = [&all](Index first, Index last) {
    Dataset set = all;
    for (Index i = 0; i < kNodes; ++i) set.counts.push_back(i >= first && i < last);
    return set;
  };
  return {part(0, 12), part(24, kNodes), part(12, 24)};
}

}  // namespace lightloop
