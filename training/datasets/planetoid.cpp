// Citation graphs: words of papers, who cites whom, and the split that everybody uses.
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "training/datasets/readers.hpp"
#include "training/layers/graph.hpp"

namespace lightloop {
namespace {

constexpr const char* kRemedy = "The file is damaged or another one: make it again with tools/planetoid.py.";

/// Whole numbers of a dataset with values from `low` to `high`.
std::vector<Index> whole(const h5::Reader& file, const std::string& name, Index low, Index high) {
  if (!file.exists(name)) throw FileError(file.path(), "has no " + name, "", kRemedy);
  const h5::Array array = file.read(name);
  std::vector<Index> numbers;
  numbers.reserve(array.values.size());
  for (const double v : array.values) {
    if (!(v >= static_cast<double>(low) && v <= static_cast<double>(high)) || v != std::floor(v))
      throw FileError(file.path() + " " + name, to_string(Value(v)),
                      "whole numbers " + std::to_string(low) + " to " + std::to_string(high), kRemedy);
    numbers.push_back(static_cast<Index>(v));
  }
  return numbers;
}

void check_count(const h5::Reader& file, const std::string& name, std::size_t found, Index wanted) {
  if (static_cast<Index>(found) != wanted)
    throw FileError(file.path() + " " + name, std::to_string(found) + " numbers", std::to_string(wanted) + " expected",
                    kRemedy);
}

Graph read_graph(const h5::Reader& file, Index nodes) {
  std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
  const std::vector<Index> edges = whole(file, "/edges", 0, nodes - 1);
  check_count(file, "/edges", edges.size() % 2, 0);
  for (std::size_t i = 0; i < edges.size(); i += 2)
    pairs.emplace_back(static_cast<std::int32_t>(edges[i]), static_cast<std::int32_t>(edges[i + 1]));
  if (file.exists("/self_loops"))
    for (const Index i : whole(file, "/self_loops", 0, nodes - 1))
      pairs.emplace_back(static_cast<std::int32_t>(i), static_cast<std::int32_t>(i));
  return undirected_graph(nodes, pairs);
}

/// One part of the split: every node, of which those in the mask count.
Dataset masked(const Dataset& all, const h5::Reader& file, const std::string& name, const std::vector<Index>& labels) {
  const std::vector<Index> mask = whole(file, name, 0, 1);
  check_count(file, name, mask.size(), all.size());
  Dataset part = all;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] && labels[i] < 0)
      throw FileError(file.path() + " " + name, "node " + std::to_string(i), "has no label", kRemedy);
    part.counts.push_back(static_cast<std::uint8_t>(mask[i]));
  }
  if (part.counted() == 0) throw FileError(file.path() + " " + name, "names no node", "", kRemedy);
  return part;
}

}  // namespace

TrainTest read_planetoid(const std::string& path) {
  const h5::Reader file(path);
  constexpr const char* kFeatures = "/features";
  if (!file.exists(kFeatures) || file.shape(kFeatures).size() != 2 || !file.holds_bytes(kFeatures))
    throw FileError(path, "has no /features of bytes, (nodes, words)", "", kRemedy);
  const std::vector<Index> shape = file.shape(kFeatures);
  Dataset all;
  all.source = path;
  all.sample_shape = {shape[1]};
  all.bytes.resize(shape[0], shape[1]);
  std::ranges::copy(file.read_bytes(kFeatures), all.bytes.data());
  const std::vector<Index> labels = whole(file, "/labels", -1, 255);
  check_count(file, "/labels", labels.size(), shape[0]);
  for (const Index label : labels) all.labels.push_back(static_cast<std::uint8_t>(std::max<Index>(label, 0)));
  if (all.labels.empty()) throw FileError(path, "has no nodes", "", kRemedy);
  all.classes = 1 + *std::ranges::max_element(labels);
  for (Index r = 0; r < shape[0]; ++r) {
    double sum = 0;
    for (const std::uint8_t v : all.bytes.row(r)) sum += v;
    all.row_scale.push_back(sum > 0 ? static_cast<float>(1 / sum) : 0.0f);
  }
  all.graph = std::make_shared<const Graph>(read_graph(file, shape[0]));
  TrainTest split{masked(all, file, "/train_mask", labels), masked(all, file, "/test_mask", labels),
                  masked(all, file, "/val_mask", labels)};
  for (Index i = 0; i < all.size(); ++i) {
    const auto node = static_cast<std::size_t>(i);
    if (split.train.counts[node] + split.test.counts[node] + split.validation.counts[node] > 1)
      throw FileError(path, "node " + std::to_string(i), "is in more than one of train, validation and test", kRemedy);
  }
  return split;
}

}  // namespace lightloop
