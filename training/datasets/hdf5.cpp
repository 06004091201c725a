#include "core/hdf5.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "training/datasets/readers.hpp"

namespace lightloop {
namespace {
/// The full name of whichever of `names` is in `group`; empty when none is.
std::string find_in(const h5::Reader& file, const std::string& group, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto path = (group == "/" ? "" : group) + "/" + name;
    if (file.exists(path) && !file.is_group(path)) return path;
  }
  return "";
}
std::string samples_in(const h5::Reader& file, const std::string& group) {
  return find_in(file, group, {"x", "images"});
}

bool is_label(double value) { return value >= 0 && value <= 255 && value == std::floor(value); }

/// Columns of real numbers; the labels are 0 then.
void take_values(const std::string& place, const std::vector<double>& values, Index columns, Dataset& set) {
  const bool bad = std::ranges::any_of(values, [](double v) { return !std::isfinite(static_cast<float>(v)); });
  if (values.empty() || bad)
    throw FileError(place, values.empty() ? "targets without columns" : "targets that are not finite", "",
                    "Store finite numbers, (samples, outputs).");
  const Index samples = static_cast<Index>(values.size()) / columns;
  set.values.resize(samples, columns);
  std::ranges::transform(values, set.values.data(), [](double v) { return static_cast<float>(v); });
  set.labels.assign(static_cast<std::size_t>(samples), 0);
  set.classes = columns;
}

/// `targets` of every sample, side by side.
void take_labels(const std::string& place, const std::vector<double>& labels, Index targets, Dataset& set) {
  set.targets = targets;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!is_label(labels[i]))
      throw FileError(place + "[" + std::to_string(i) + "]", "label " + to_string(Value(labels[i])),
                      "whole numbers 0 to 255",
                      std::string("Number the classes from 0, or store real targets as floats") +
                          (targets == 1 ? " of shape (samples, 1)." : "."));
    set.labels.push_back(static_cast<std::uint8_t>(labels[i]));
  }
  set.classes = 1 + *std::ranges::max_element(set.labels);
}
}  // namespace

bool hdf5_has_samples(const std::string& path, const std::string& group) {
  return !samples_in(h5::Reader(path), group).empty();
}

Dataset read_hdf5(const std::string& path, const std::string& group) {
  const h5::Reader file(path);
  const auto x = samples_in(file, group), y = find_in(file, group, {"y", "labels"});
  if (x.empty() || y.empty())
    throw FileError(path, "no samples and labels in group " + group, "",
                    "Store datasets x and y, or images and labels; or a graph, as docs/file_formats.md says.");
  Dataset set;
  set.source = path;
  const auto shape = file.shape(x);
  const auto labels = file.read(y);
  if (shape.size() < 2)
    throw FileError(path + " " + x, std::to_string(shape.size()) + " dimensions", "(samples, features, ...)",
                    "Store one sample per row.");
  const std::vector<Index> targets = file.shape(y);
  if (targets.empty() || targets.size() > 2 || targets[0] != shape[0] || shape[0] == 0)
    throw FileError(path + " " + y, std::to_string(labels.values.size()) + " labels",
                    x + " holds " + std::to_string(shape[0]) + " samples", "Store one label per sample.");
  const Index columns = targets.size() == 2 ? targets[1] : 1;
  const bool whole = columns == 1 && std::ranges::all_of(labels.values, is_label);
  if (targets.size() == 2 && !whole && (columns == 0 || !file.holds_integers(y)))
    take_values(path + " " + y, labels.values, columns, set);
  else
    take_labels(path + " " + y, labels.values, columns, set);
  set.sample_shape.assign(shape.begin() + 1, shape.end());
  Index features = 1;
  for (const Index n : set.sample_shape) features *= n;
  if (features == 0) throw FileError(path + " " + x, "samples without features", "", "Store at least one.");
  if (file.holds_bytes(x)) {
    const auto bytes = file.read_bytes(x);
    set.bytes.resize(shape[0], features);
    std::copy(bytes.begin(), bytes.end(), set.bytes.data());
  } else {
    set.floats.resize(shape[0], features);
    file.read(x, set.floats.flat());
    const auto flat = set.floats.flat();
    const auto bad = std::find_if(flat.begin(), flat.end(), [](float v) { return !std::isfinite(v); });
    if (bad != flat.end())
      throw FileError(path + " " + x + "[" + std::to_string((bad - flat.begin()) / features) + "]",
                      std::isnan(*bad) ? "nan" : "infinite", "values must be finite", "Replace or remove this sample.");
  }
  return set;
}

}  // namespace lightloop
