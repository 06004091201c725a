// Graphs with labels of some nodes: citation graphs with the split that everybody uses, and one's own.
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "training/datasets/readers.hpp"
#include "training/layers/graph.hpp"

namespace lightloop {
namespace {

constexpr const char* kFeatures = "/features";
constexpr const char* kRemedy =
    "Store a graph as docs/file_formats.md says; tools/planetoid.py makes the published ones.";

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
  if (const std::vector<Index> shape = file.shape("/edges"); !edges.empty() && (shape.size() != 2 || shape[1] != 2))
    throw FileError(file.path() + " /edges", "is no table of two columns", "(edges, 2), the nodes of each", kRemedy);
  for (std::size_t i = 0; i < edges.size(); i += 2)
    pairs.emplace_back(static_cast<std::int32_t>(edges[i]), static_cast<std::int32_t>(edges[i + 1]));
  if (file.exists("/self_loops"))
    for (const Index i : whole(file, "/self_loops", 0, nodes - 1))
      pairs.emplace_back(static_cast<std::int32_t>(i), static_cast<std::int32_t>(i));
  return undirected_graph(nodes, pairs);
}

/// Bytes are words that are there: each row is divided by their sum. Other numbers are taken as they are.
void read_features(const h5::Reader& file, Dataset& all) {
  if (!file.exists(kFeatures) || file.shape(kFeatures).size() != 2)
    throw FileError(file.path(), "has no /features, (nodes, features)", "", kRemedy);
  const std::vector<Index> shape = file.shape(kFeatures);
  if (shape[0] == 0 || shape[1] == 0)
    throw FileError(file.path() + " /features", shape[0] == 0 ? "has no nodes" : "has no features", "", kRemedy);
  all.sample_shape = {shape[1]};
  if (!file.holds_bytes(kFeatures)) {
    all.floats.resize(shape[0], shape[1]);
    file.read(kFeatures, all.floats.flat());
    const auto flat = all.floats.flat();
    const auto bad = std::ranges::find_if(flat, [](float v) { return !std::isfinite(v); });
    if (bad != flat.end())
      throw FileError(file.path() + " /features of node " + std::to_string((bad - flat.begin()) / shape[1]),
                      std::isnan(*bad) ? "nan" : "infinite", "numbers must be finite", kRemedy);
    return;
  }
  all.bytes.resize(shape[0], shape[1]);
  std::ranges::copy(file.read_bytes(kFeatures), all.bytes.data());
  for (Index r = 0; r < shape[0]; ++r) {
    double sum = 0;
    for (const std::uint8_t v : all.bytes.row(r)) sum += v;
    all.row_scale.push_back(sum > 0 ? static_cast<float>(1 / sum) : 0.0f);
  }
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

bool hdf5_has_graph(const std::string& path) {
  const h5::Reader file(path);
  return file.exists(kFeatures) || file.exists("/edges");
}

TrainTest read_planetoid(const std::string& path) {
  const h5::Reader file(path);
  Dataset all;
  all.source = path;
  read_features(file, all);
  const Index nodes = std::max(all.bytes.rows(), all.floats.rows());
  const std::vector<Index> labels = whole(file, "/labels", -1, 255);
  check_count(file, "/labels", labels.size(), nodes);
  for (const Index label : labels) all.labels.push_back(static_cast<std::uint8_t>(std::max<Index>(label, 0)));
  all.classes = 1 + *std::ranges::max_element(labels);
  all.graph = std::make_shared<const Graph>(read_graph(file, nodes));
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
