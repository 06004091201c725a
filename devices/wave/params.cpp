#include "devices/wave/params.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "devices/streams.hpp"

namespace lightloop::wave {
namespace {

constexpr Index kUnmeasured = 64;  // ports where neither a file nor the user says (assumed)
constexpr double kDark = 1.0 / 32, kRelativeNoise = 1.0 / 500;

Value whole(std::int64_t value) { return value; }
Value text(const char* value) { return std::string(value); }

void check_size(const ParamSet& params, const char* name, Index there) {
  const Index asked = params.integer(name);
  if (asked != 0 && asked != there)
    throw ShapeMismatch(std::string("sim:wave: ") + name, std::to_string(asked),
                        std::to_string(there) + " in " + params.text("matrix"), "Leave it out.");
}

std::vector<std::string> with_file(std::vector<std::string> words) {
  words.insert(words.begin(), "file");
  return words;
}

std::string chosen(const ParamSet& params, const std::string& name, const std::string& said, const char* otherwise) {
  const std::string& asked = params.text(name);
  if (asked == "file") return said.empty() ? otherwise : said;
  if (!said.empty() && said != asked)
    throw InvalidParameter("sim:wave: " + name, asked, params.text("matrix") + " holds for " + name + "=" + said,
                           "Leave " + name + " out, or take a file without full scale, noise and this attribute.");
  return asked;
}

}  // namespace

std::string encoding_of(const ParamSet& params, const Medium& medium) {
  return chosen(params, "encoding", medium.encoding, "signed");
}
std::string detection_of(const ParamSet& params, const Medium& medium) {
  return chosen(params, "detection", medium.detection, "intensity");
}

std::vector<ParamInfo> params() {
  return {
      {"matrix", "", text(""), 0, 0, "HDF5 file with the measured matrix; empty: drawn from the seed", {}, true},
      {"input.size", "1", whole(0), 0, 16384, "ports where waves go in; 0: as in the file, or 64", {}, true},
      {"output.size", "1", whole(0), 0, 16384, "ports where they are detected; 0: as in the file, or 64", {}, true},
      {"dac.bits", "1", whole(12), 2, 16, "bits of an input code", {}, true, whole(16)},
      {"adc.bits", "1", whole(12), 2, 16, "bits of an output code", {}, true, whole(16)},
      {"encoding", "", text("file"), 0, 0, "what a code does to a wave; file: as its file says, or signed",
       with_file(encodings()), true},
      {"detection", "", text("file"), 0, 0, "what is detected; file: as its file says, or intensity",
       with_file(detections()), true},
      {"headroom",
       "1",
       6.0,
       0.1,
       1e3,
       "signal at the highest code over the mean signal, where the file does not say",
       {},
       true},
      {"noise", "1", 1.0, 0, 1e3, "read noise over what the file says, or over a 500th of full scale", {}, false, 0.0},
      {"perturbation", "1", 0.0, 0, 1, "part of the scattered power that goes new ways", {}, false},
      {"perturbation.frame", "1", whole(0), 0, 9007199254740992.0,
       "number of the first frame that meets it (where perturbation is above 0)"},
      {"perturbation.matrix",
       "",
       text(""),
       0,
       0,
       "HDF5 file with the system after a perturbation of 1; empty: drawn from the seed",
       {},
       true},
      {"seed", "1", whole(1), 0, 9007199254740992.0, "key of all random numbers of this device", {}, true},
  };
}

Medium medium_of(const ParamSet& params) {
  const std::string& file = params.text("matrix");
  if (!file.empty()) {
    Medium medium = read_medium(file);
    check_size(params, "input.size", medium.inputs());
    check_size(params, "output.size", medium.outputs());
    return medium;
  }
  const auto size = [&](const char* name) { return params.integer(name) == 0 ? kUnmeasured : params.integer(name); };
  return random_medium(size("output.size"), size("input.size"),
                       Stream(static_cast<std::uint64_t>(params.integer("seed")), 0, kWaveMatrix));
}

Scales::Scales(const ParamSet& p, const Medium& medium)
    : inputs_(medium.inputs()),
      encoding_(encoding_of(p, medium) == "phase"       ? Encoding::phase
                : encoding_of(p, medium) == "amplitude" ? Encoding::amplitude
                                                        : Encoding::signed_amplitude),
      detection_(detection_of(p, medium) == "field"       ? Detection::field
                 : detection_of(p, medium) == "amplitude" ? Detection::amplitude
                                                          : Detection::intensity),
      middle_in_(std::ldexp(1.0, static_cast<int>(p.integer("dac.bits")) - 1)),
      highest_in_(2 * middle_in_ - 1),
      middle_out_(std::ldexp(1.0, static_cast<int>(p.integer("adc.bits")) - 1)),
      highest_out_(2 * middle_out_ - 1) {
  check_detected(medium, p.text("matrix"));
  find_full_scale(medium, p.real("headroom"));
  const double factor = p.real("noise");
  for (std::size_t i = 0; i < full_scale_.size(); ++i)
    noise_.push_back(factor *
                     (medium.noise.empty() ? kRelativeNoise * full_scale_[i] : static_cast<double>(medium.noise[i])));
}

/// A real part alone may be what nothing reaches.
void Scales::check_detected(const Medium& medium, const std::string& file) const {
  const bool real_alone = detection_ == Detection::field && encoding_ != Encoding::phase;
  const auto reached = [](float v) { return v != 0; };
  if (std::ranges::any_of(medium.re.flat(), reached)) return;
  if (!real_alone && std::ranges::any_of(medium.im.flat(), reached)) return;
  throw InvalidParameter("sim:wave: detection", "no input changes what is detected",
                         "the matrix" + (file.empty() ? "" : " of " + file) + " has no real part",
                         "Detect intensities or amplitudes, or encode phases.");
}

/// The mean of |E|^2 over codes that are all alike likely, averaged over the outputs: a common gain for a camera.
void Scales::find_full_scale(const Medium& medium, double headroom) {
  if (!medium.full_scale.empty()) {
    full_scale_.assign(medium.full_scale.begin(), medium.full_scale.end());
    return;
  }
  const double mean = encoding_ == Encoding::amplitude ? 0.5 : 0.0;
  const double variance = encoding_ == Encoding::amplitude ? 1.0 / 12 : encoding_ == Encoding::phase ? 1.0 : 1.0 / 3;
  double power = 0;
  for (Index i = 0; i < medium.outputs(); ++i) {
    const auto k = static_cast<std::size_t>(i);
    double re = static_cast<double>(medium.offset_re[k]), im = static_cast<double>(medium.offset_im[k]), spread = 0;
    for (Index j = 0; j < inputs_; ++j) {
      const auto a = static_cast<double>(medium.re(i, j)), b = static_cast<double>(medium.im(i, j));
      re += mean * a;
      im += mean * b;
      spread += variance * (a * a + b * b);
    }
    power += (re * re + im * im + spread) / static_cast<double>(medium.outputs());
  }
  const double full = detection_ == Detection::intensity ? headroom * power : std::sqrt(headroom * power);
  if (!(full > 0) || !std::isfinite(full))
    throw OutOfRange("sim:wave: full scale", to_string(Value(full)), "above 0 and finite", "Give it in the file.");
  full_scale_.assign(static_cast<std::size_t>(medium.outputs()), full);
}

Matrix<float> Scales::operation(const Medium& medium) const {
  const Index n = medium.outputs();
  Matrix<float> w(2 * n, drives());
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < inputs_; ++j) {
      w(i, j) = medium.re(i, j);
      w(n + i, j) = medium.im(i, j);
      if (encoding_ != Encoding::phase) continue;
      w(i, inputs_ + j) = -medium.im(i, j);
      w(n + i, inputs_ + j) = medium.re(i, j);
    }
  return w;
}

void Scales::drive(std::span<const float> codes, std::span<float> out) const {
  const std::size_t n = codes.size();
  for (std::size_t j = 0; j < n; ++j) {
    const auto c = static_cast<double>(codes[j]);
    if (encoding_ == Encoding::phase) {
      const double turn = std::numbers::pi * (c - middle_in_) / middle_in_;
      out[j] = static_cast<float>(std::cos(turn));
      out[n + j] = static_cast<float>(std::sin(turn));
    } else {
      out[j] = static_cast<float>(encoding_ == Encoding::amplitude ? c / highest_in_ : (c - middle_in_) / middle_in_);
    }
  }
}

void Scales::drive_back(std::span<const float> codes, std::span<const float> grad, std::span<float> out) const {
  const std::size_t n = codes.size();
  for (std::size_t j = 0; j < n; ++j) {
    const auto g = static_cast<double>(grad[j]);
    if (encoding_ == Encoding::phase) {
      const double per_code = std::numbers::pi / middle_in_,
                   turn = per_code * (static_cast<double>(codes[j]) - middle_in_);
      out[j] = static_cast<float>(per_code * (static_cast<double>(grad[n + j]) * std::cos(turn) - g * std::sin(turn)));
    } else {
      out[j] = static_cast<float>(g / (encoding_ == Encoding::amplitude ? highest_in_ : middle_in_));
    }
  }
}

double Scales::signal(Index, double re, double im) const {
  if (detection_ == Detection::field) return re;
  const double power = re * re + im * im;
  return detection_ == Detection::intensity ? power : std::sqrt(power);
}

double Scales::code(Index output, double signal) const {
  const double full = full_scale_[static_cast<std::size_t>(output)];
  if (detection_ == Detection::field) return middle_out_ * (1 + signal / full);
  return highest_out_ * (kDark + (1 - kDark) * signal / full);
}

std::pair<double, double> Scales::slope(Index output, double re, double im) const {
  const double full = full_scale_[static_cast<std::size_t>(output)];
  if (detection_ == Detection::field) return {middle_out_ / full, 0.0};
  const double size = std::sqrt(re * re + im * im);
  const double factor = highest_out_ * (1 - kDark) / full *
                        (detection_ == Detection::intensity ? 2.0
                         : size > 0                         ? 1 / size
                                                            : 0.0);
  return {factor * re, factor * im};
}

}  // namespace lightloop::wave
