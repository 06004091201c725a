#include "devices/wave/medium.hpp"

#include <algorithm>
#include <cmath>
#include <complex>

#include "core/error.hpp"
#include "core/hdf5.hpp"

namespace lightloop::wave {
namespace {

constexpr Index kLargest = 16384;               // ports on a side: 2 GiB of numbers
constexpr double kMost = 1e15, kLeast = 1e-15;  // so that squares and their ratios stay within single precision

std::string shown(const std::vector<Index>& shape) {
  std::string text = "(";
  for (const Index n : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(n);
  return text + ")";
}

void check_finite(const std::string& what, const std::vector<double>& values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]) || std::abs(values[i]) > kMost)
      throw FileError(what, "number " + std::to_string(i) + " is " + std::to_string(values[i]),
                      "finite, at most 1e15 in size", "Measure it again, or leave that port out.");
}

/// A dataset of one number per output, none below `least`; empty where the file has none.
std::vector<float> per_output(const h5::Reader& file, const std::string& name, Index outputs, double least) {
  if (!file.exists(name)) return {};
  const h5::Array array = file.read(name);
  const std::string what = file.path() + " " + name;
  if (array.shape != std::vector<Index>{outputs})
    throw FileError(what, shown(array.shape), "one number per output, " + shown({outputs}), "See sim:wave.");
  check_finite(what, array.values);
  for (const double v : array.values)
    if (v < least)
      throw FileError(what, to_string(Value(v)), least > 0 ? "must be above 0, at least 1e-15" : "must not be below 0",
                      "See sim:wave.");
  return {array.values.begin(), array.values.end()};
}

void read_offset(const h5::Reader& file, Medium& medium) {
  const auto n = static_cast<std::size_t>(medium.outputs());
  medium.offset_re.assign(n, 0.0f);
  medium.offset_im.assign(n, 0.0f);
  if (!file.exists("/offset")) return;
  const h5::Array array = file.read("/offset");
  const std::string what = file.path() + " /offset";
  if (array.shape != std::vector<Index>{medium.outputs(), 2})
    throw FileError(what, shown(array.shape), "real and imaginary part per output, " + shown({medium.outputs(), 2}),
                    "See sim:wave.");
  check_finite(what, array.values);
  for (std::size_t i = 0; i < n; ++i) {
    medium.offset_re[i] = static_cast<float>(array.values[2 * i]);
    medium.offset_im[i] = static_cast<float>(array.values[2 * i + 1]);
  }
}

/// One of `words`; empty where the file does not say.
std::string law(const h5::Reader& file, const std::string& name, const std::vector<std::string>& words) {
  if (!file.has_attribute("/", name)) return "";
  const std::string word = to_string(file.attribute("/", name));
  if (std::ranges::find(words, word) != words.end()) return word;
  std::string known;
  for (const std::string& one : words) known += (known.empty() ? "" : ", ") + one;
  throw FileError(file.path() + " " + name, "\"" + word + "\"", known, "See sim:wave.");
}

}  // namespace

std::vector<std::string> encodings() { return {"signed", "amplitude", "phase"}; }
std::vector<std::string> detections() { return {"intensity", "amplitude", "field"}; }

Medium read_medium(const std::string& path) {
  const h5::Reader file(path);
  if (!file.exists("/matrix") || file.is_group("/matrix"))
    throw FileError(path, "has no /matrix", "(outputs, inputs, 2): real and imaginary parts",
                    "tools/wave_matrix.py makes such files.");
  const std::string what = path + " /matrix";
  const std::vector<Index> shape = file.shape("/matrix");
  const bool complex = shape.size() == 3 && shape[2] == 2;
  if (!complex && shape.size() != 2)
    throw FileError(what, shown(shape), "(outputs, inputs, 2), or (outputs, inputs) where it is real",
                    "Store one matrix per file.");
  if (shape[0] < 1 || shape[1] < 1 || shape[0] > kLargest || shape[1] > kLargest)
    throw FileError(what, shown(shape), "1 to " + std::to_string(kLargest) + " ports on a side", "Store fewer ports.");
  const h5::Array array = file.read("/matrix");
  check_finite(what, array.values);
  if (std::ranges::all_of(array.values, [](double v) { return std::abs(v) < kLeast; }))
    throw FileError(what, "is zero everywhere, or below 1e-15", "something must come through",
                    "Measure it again, or choose a unit in which it is not so small.");
  Medium medium;
  medium.re.resize(shape[0], shape[1]);
  medium.im.resize(shape[0], shape[1]);
  for (Index i = 0; i < medium.re.size(); ++i) {
    const auto k = static_cast<std::size_t>(i);
    medium.re.data()[i] = static_cast<float>(array.values[complex ? 2 * k : k]);
    medium.im.data()[i] = complex ? static_cast<float>(array.values[2 * k + 1]) : 0.0f;
  }
  read_offset(file, medium);
  medium.full_scale = per_output(file, "/full_scale", shape[0], kLeast);
  medium.noise = per_output(file, "/noise", shape[0], 0);
  medium.encoding = law(file, "encoding", encodings());
  medium.detection = law(file, "detection", detections());
  return medium;
}

Medium random_medium(Index outputs, Index inputs, const Stream& stream) {
  Medium medium;
  medium.re.resize(outputs, inputs);
  medium.im.resize(outputs, inputs);
  medium.offset_re.assign(static_cast<std::size_t>(outputs), 0.0f);
  medium.offset_im = medium.offset_re;
  std::vector<float> draws(static_cast<std::size_t>(2 * inputs));
  for (Index i = 0; i < outputs; ++i) {
    stream.normal(static_cast<std::uint64_t>(i), 0, draws);
    for (Index j = 0; j < inputs; ++j) {
      medium.re(i, j) = std::sqrt(0.5f) * draws[static_cast<std::size_t>(2 * j)];
      medium.im(i, j) = std::sqrt(0.5f) * draws[static_cast<std::size_t>(2 * j + 1)];
    }
  }
  return medium;
}

Medium scattered_anew(const Medium& medium, double part, const Stream& stream) {
  const Medium drawn = random_medium(medium.outputs(), medium.inputs(), stream);
  const auto keep = static_cast<float>(std::sqrt(1 - part)), change = static_cast<float>(std::sqrt(part));
  Medium made = medium;
  for (Index i = 0; i < made.outputs(); ++i) {
    double power = 0;
    for (Index j = 0; j < made.inputs(); ++j)
      power += std::norm(std::complex(static_cast<double>(medium.re(i, j)), static_cast<double>(medium.im(i, j))));
    const auto size = static_cast<float>(std::sqrt(power / static_cast<double>(made.inputs())));
    for (Index j = 0; j < made.inputs(); ++j) {
      made.re(i, j) = keep * medium.re(i, j) + change * size * drawn.re(i, j);
      made.im(i, j) = keep * medium.im(i, j) + change * size * drawn.im(i, j);
    }
  }
  return made;
}

}  // namespace lightloop::wave
