#include "training/datasets/dataset.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <numeric>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/param.hpp"
#include "core/random.hpp"
#include "training/datasets/digits.hpp"
#include "training/datasets/generated.hpp"
#include "training/datasets/readers.hpp"
#include "training/layers/graph.hpp"

namespace lightloop {
namespace {
namespace fs = std::filesystem;

std::string shown(const std::vector<Index>& shape) {
  std::string text;
  for (const Index n : shape) text += (text.empty() ? "" : " x ") + std::to_string(n);
  return text;
}

/// The first of the names an IDX file goes by that is in `folder`; empty when none is.
std::string idx_file(const fs::path& folder, const std::string& stem, const std::string& kind) {
  for (const char* joint : {"-", "."}) {
    for (const char* ending : {"", ".gz"}) {
      const auto path = folder / (stem + joint + kind + ending);
      if (fs::is_regular_file(path)) return path.string();
    }
  }
  return "";
}

constexpr std::array<std::pair<const char*, const char*>, 4> kIdxNames = {{{"train-images", "idx3-ubyte"},
                                                                           {"train-labels", "idx1-ubyte"},
                                                                           {"t10k-images", "idx3-ubyte"},
                                                                           {"t10k-labels", "idx1-ubyte"}}};

bool holds_idx(const fs::path& folder) {
  return std::any_of(kIdxNames.begin(), kIdxNames.end(),
                     [&](const auto& name) { return !idx_file(folder, name.first, name.second).empty(); });
}

TrainTest read_idx_folder(const fs::path& folder, const std::string& hint) {
  std::array<std::string, 4> files;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& [stem, kind] = kIdxNames[i];
    files[i] = idx_file(folder, stem, kind);
    if (files[i].empty()) throw FileError(folder.string(), std::string(stem) + "-" + kind + ".gz is missing", "", hint);
  }
  return {read_idx(files[0], files[1]), read_idx(files[2], files[3])};
}

/// A known set of ten classes must hold no other label.
void check_labels(const Dataset& set, const std::string& images, Index classes) {
  const auto bad = std::find_if(set.labels.begin(), set.labels.end(), [&](auto label) { return label >= classes; });
  if (bad == set.labels.end()) return;
  auto labels = images;
  if (const auto at = labels.rfind("images"); at != labels.npos) labels.replace(at, 6, "labels");
  if (const auto at = labels.rfind("idx3"); at != labels.npos) labels.replace(at, 4, "idx1");
  throw FileError(labels, "label " + std::to_string(*bad) + " of sample " + std::to_string(bad - set.labels.begin()),
                  "0 to " + std::to_string(classes - 1), "Download the file again.");
}

[[noreturn]] void not_found(const KnownDataset& known, std::string places) {
  if (places.empty()) places = "no folder: --data-dir is not given, and $LIGHTLOOP_DATA and $HOME are not set";
  throw FileError("data set " + known.name, "not found", "looked in " + places,
                  known.by_hand.empty() ? "Get it with: lightloop data download " + known.name : known.by_hand);
}

/// The first file `names` that is in one of the data folders.
std::string find_known(const KnownDataset& known, const std::string& data_dir, const std::vector<std::string>& names) {
  std::string places;
  for (const auto& folder : data_folders(data_dir)) {
    for (const auto& name : names)
      if (const auto path = fs::path(folder) / name; fs::is_regular_file(path)) return path.string();
    places += (places.empty() ? "" : ", ") + folder;
  }
  not_found(known, places);
}

TrainTest load_known(const KnownDataset& known, const std::string& data_dir, std::uint64_t seed, Index tokens) {
  const std::string& name = known.name;
  if (name == "vowels") return read_vowels(find_known(known, data_dir, {"vowels/vowdata.dat", "vowdata.dat"}), seed);
  if (name == "japanese_vowels")
    return japanese_vowels_data(find_known(known, data_dir, {"japanese_vowels/ae.train", "ae.train"}),
                                find_known(known, data_dir, {"japanese_vowels/ae.test", "ae.test"}));
  if (name == "cora" || name == "citeseer")
    return read_planetoid(
        find_known(known, data_dir, {"planetoid/" + name + ".h5", name + "/" + name + ".h5", name + ".h5"}));
  if (name == "shakespeare")
    return read_text(find_known(known, data_dir,
                                {"text/tinyshakespeare.txt", "shakespeare/tinyshakespeare.txt", "tinyshakespeare.txt"}),
                     tokens);
  constexpr Index kClasses = 10;  // of both sets
  const auto hint = "Get it with: lightloop data download " + known.name;
  std::string places;
  for (const auto& folder : data_folders(data_dir)) {
    for (const auto& candidate :
         {fs::path(folder) / known.name, fs::path(folder) / (known.name + "-mnist"), fs::path(folder)}) {
      const auto own_name = (candidate / "").parent_path().filename().string();
      const bool another =
          std::any_of(known_datasets().begin(), known_datasets().end(), [&](const KnownDataset& other) {
            return other.name != known.name && (own_name == other.name || own_name == other.name + "-mnist");
          });  // mnist and fashion have the same file names
      if (another || !holds_idx(candidate)) continue;
      auto both = read_idx_folder(candidate, hint);
      for (Dataset* set : {&both.train, &both.test}) check_labels(*set, set->source, kClasses);
      both.train.classes = kClasses;
      return both;
    }
    places += (places.empty() ? "" : ", ") + folder;
  }
  not_found(known, places);
}

/// Samples `which` of `all`, in that order.
Dataset picked(const Dataset& all, std::span<const std::uint32_t> which) {
  Dataset few;
  few.name = all.name;
  few.source = all.source;
  few.sample_shape = all.sample_shape;
  few.classes = all.classes;
  few.targets = all.targets;
  few.codes = all.codes;
  few.alphabet = all.alphabet;
  few.yardstick = all.yardstick;
  const auto take_rows = [&](const auto& from, auto& to) {
    if (from.size() == 0) return;
    to.resize(static_cast<Index>(which.size()), from.cols());
    for (std::size_t i = 0; i < which.size(); ++i)
      std::ranges::copy(from.row(which[i]), to.row(static_cast<Index>(i)).begin());
  };
  const auto take_each = [&](const auto& from, auto& to) {
    const std::size_t each = from.size() / static_cast<std::size_t>(all.size());
    for (const std::size_t row : which)
      to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(row * each),
                from.begin() + static_cast<std::ptrdiff_t>((row + 1) * each));
  };
  take_rows(all.bytes, few.bytes);
  take_rows(all.floats, few.floats);
  take_rows(all.values, few.values);
  take_each(all.labels, few.labels);
  take_each(all.counts, few.counts);
  take_each(all.row_scale, few.row_scale);
  return few;
}

/// One sample of six is for the test: drawn, the file's order kept in both parts, where each has a class; the last ones
/// where samples may follow each other (tokens, real targets).
TrainTest split(const Dataset& all) {
  if (all.size() < 6) throw FileError(all.source, std::to_string(all.size()) + " samples", "at least 6 to split 5:1");
  std::vector<std::uint32_t> order(static_cast<std::size_t>(all.size()));
  std::iota(order.begin(), order.end(), 0u);
  if (all.targets == 1 && all.values.size() == 0) Stream(0, 3, Purpose::batch_order).permutation(0, order);
  const auto first_test = order.end() - static_cast<std::ptrdiff_t>(order.size() / 6);
  std::sort(order.begin(), first_test);
  std::sort(first_test, order.end());
  return {picked(all, {order.begin(), first_test}), picked(all, {first_test, order.end()})};
}

/// "dir/train.csv" -> "dir/test.csv" if that exists.
std::string test_beside(const fs::path& path) {
  auto name = path.filename().string();
  const auto at = name.find("train");
  if (at == name.npos) return "";
  name.replace(at, 5, "test");
  const auto beside = path.parent_path() / name;
  return fs::is_regular_file(beside) ? beside.string() : "";
}

TrainTest load_file(const std::string& path) {
  const auto beside = test_beside(path);
  if (fs::path(path).extension() == ".csv")
    return beside.empty() ? split(read_csv(path)) : TrainTest{read_csv(path), read_csv(beside)};
  if (!hdf5_has_samples(path, "/") && hdf5_has_graph(path)) return read_planetoid(path);
  if (hdf5_has_samples(path, "/train")) return {read_hdf5(path, "/train"), read_hdf5(path, "/test")};
  return beside.empty() ? split(read_hdf5(path, "/")) : TrainTest{read_hdf5(path, "/"), read_hdf5(beside, "/")};
}

/// "shakespeare:32" -> {"shakespeare", 32}; the length of a window is 64 unless it is given, for names without one too.
std::pair<std::string, Index> name_and_tokens(const std::string& name) {
  constexpr Index kTokens = 64, kMost = 65536;
  const std::size_t colon = name.rfind(':');
  const std::string first = name.substr(0, colon);
  if (colon == std::string::npos || (first != "shakespeare" && !first.ends_with(".txt"))) return {name, kTokens};
  Index tokens = 0;
  const auto [end, error] = std::from_chars(name.data() + colon + 1, name.data() + name.size(), tokens);
  if (error != std::errc{} || end != name.data() + name.size() || tokens < 1 || tokens > kMost)
    throw InvalidParameter("data set", name, "a window of 1 to " + std::to_string(kMost) + " characters",
                           "as in " + first + ":64");
  return {first, tokens};
}

TrainTest load_any(const std::string& asked, const std::string& data_dir, std::uint64_t seed) {
  const auto [name, tokens] = name_and_tokens(asked);
  if (name == "digits") return make_digits(seed);
  if (name == "clicks") return make_clicks(seed);
  if (name == "picture") return make_picture(seed);
  for (const auto& known : known_datasets())
    if (known.name == name) return load_known(known, data_dir, seed, tokens);
  const auto ending = fs::path(name).extension();
  if (ending == ".txt") return read_text(name, tokens);
  if (ending == ".csv" || ending == ".h5" || ending == ".hdf5") return load_file(name);
  if (fs::is_directory(name)) return read_idx_folder(name, "A data folder holds four IDX files.");
  std::vector<std::string> names;
  for (const auto& known : known_datasets()) names.push_back(known.name);
  const auto near = nearest(name, names);
  std::string known;
  for (const auto& one : names) known += one + ", ";
  throw UnknownName("data set", "\"" + name + "\"",
                    "known: " + known + "FILE.csv, FILE.h5, FILE.txt, a folder of IDX files",
                    near ? "Did you mean \"" + *near + "\"?" : "");
}
}  // namespace

void Dataset::gather(std::span<const std::uint32_t> which, View<float> x) const {
  const Index n = static_cast<Index>(which.size()), width = features();
  if (x.rows() != n || x.cols() != width)
    throw ShapeMismatch("batch of " + name, shown({x.rows(), x.cols()}), shown({n, width}) + " wanted");
  for (Index i = 0; i < n; ++i) {
    const Index row = which[static_cast<std::size_t>(i)];
    if (row >= size()) throw OutOfRange("sample of " + name, std::to_string(row), "0 to " + std::to_string(size() - 1));
    float* out = x.row(i).data();
    if (codes) {
      std::copy_n(bytes.data() + row * width, width, out);
    } else if (bytes.size()) {
      const std::uint8_t* in = bytes.data() + row * width;
      const float scale = row_scale.empty() ? 1.0f / 255.0f : row_scale[static_cast<std::size_t>(row)];
      for (Index c = 0; c < width; ++c) out[c] = static_cast<float>(in[c]) * scale;
    } else {
      std::copy_n(floats.data() + row * width, width, out);
    }
  }
}

Dataset Dataset::some(Index samples) const {
  if (graph) throw Unsupported("some of the samples of " + name, "they are nodes of a graph", "", "take all of them");
  if (samples < 1 || samples > size())
    throw OutOfRange("samples of " + name, std::to_string(samples), "1 to " + std::to_string(size()));
  std::vector<std::uint32_t> which(static_cast<std::size_t>(size()));
  Stream(0, 1, Purpose::batch_order).permutation(0, which);
  which.resize(static_cast<std::size_t>(samples));
  std::ranges::sort(which);
  return picked(*this, which);
}

Index Dataset::counted() const {
  return counts.empty() ? static_cast<Index>(labels.size())
                        : static_cast<Index>(std::count(counts.begin(), counts.end(), std::uint8_t{1}));
}

std::vector<Index> Dataset::per_class() const {
  if (targets != 1 || values.size() > 0) return {};
  std::vector<Index> samples(static_cast<std::size_t>(classes));
  for (std::size_t i = 0; i < labels.size(); ++i) samples.at(labels[i]) += counts.empty() || counts[i] == 1;
  return samples;
}

std::string Dataset::content_sha256() const {
  Sha256 hash;
  hash.add(std::as_bytes(bytes.flat()));
  hash.add(std::as_bytes(floats.flat()));
  hash.add(std::as_bytes(std::span(labels)));
  hash.add(std::as_bytes(values.flat()));
  hash.add(std::as_bytes(std::span(counts)));
  hash.add(std::as_bytes(std::span(row_scale)));
  if (graph) {
    hash.add(std::as_bytes(std::span(graph->begin)));
    hash.add(std::as_bytes(std::span(graph->neighbour)));
    hash.add(std::as_bytes(std::span(graph->weight)));
  }
  return hash.hex();
}

TrainTest load_dataset(const std::string& name, const std::string& data_dir, std::uint64_t seed) {
  auto both = load_any(name, data_dir, seed);
  both.train.name = both.test.name = both.validation.name = name;
  if (both.train.sample_shape != both.test.sample_shape)
    throw FileError(both.test.source, "samples of " + shown(both.test.sample_shape),
                    "training samples have " + shown(both.train.sample_shape), "Use files that belong together.");
  if ((both.train.values.size() == 0) != (both.test.values.size() == 0))
    throw FileError(both.test.source, both.test.values.size() == 0 ? "labels" : "real targets",
                    both.train.values.size() == 0 ? "labels, as for training" : "real targets, as for training",
                    "One column of whole numbers up to 255 is read as labels: store both parts alike.");
  if (both.train.targets != both.test.targets)
    throw FileError(both.test.source, std::to_string(both.test.targets) + " labels for a sample",
                    std::to_string(both.train.targets) + ", as for training", "Use files that belong together.");
  both.train.classes = both.test.classes = std::max(both.train.classes, both.test.classes);
  if (both.train.values.size() == 0 && both.train.classes < 2)
    throw FileError(both.train.source, "one class only", "at least 2", "Check the label column.");
  return both;
}

}  // namespace lightloop
