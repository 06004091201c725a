#pragma once
// Settings of sim:wave, and what codes mean under them.
#include <span>
#include <string>
#include <vector>

#include "core/param.hpp"
#include "devices/wave/medium.hpp"

namespace lightloop::wave {

std::vector<ParamInfo> params();

enum class Encoding { signed_amplitude, amplitude, phase };
enum class Detection { intensity, amplitude, field };

/// The system as its file or its seed says. Throws as read_medium, and ShapeMismatch where input.size or output.size
/// contradict the file.
Medium medium_of(const ParamSet& params);

/// What the settings ask for; where they say "file" what the file says, or signed and intensity. Throws
/// InvalidParameter where they contradict the file.
std::string encoding_of(const ParamSet& params, const Medium& medium);
std::string detection_of(const ParamSet& params, const Medium& medium);

/// From codes to waves and from fields to codes, both as real numbers.
///
/// A drive is the row of the u_j: (inputs) real numbers, or for phases (2 inputs), cosines before sines. Fields are
/// (2 outputs), real parts before imaginary ones.
class Scales {
 public:
  /// Throws InvalidParameter where no input changes what is detected.
  Scales(const ParamSet& params, const Medium& medium);

  Index drives() const { return encoding_ == Encoding::phase ? 2 * inputs_ : inputs_; }
  /// (2 outputs, drives), so that fields = drive * this^T + offsets.
  Matrix<float> operation(const Medium& medium) const;
  void drive(std::span<const float> codes, std::span<float> out) const;
  /// What `grad` (drives) is for the codes, added to nothing.
  void drive_back(std::span<const float> codes, std::span<const float> grad, std::span<float> out) const;
  double signal(Index output, double re, double im) const;
  double code(Index output, double signal) const;  ///< not rounded, not clipped
  /// d code / d(re, im).
  std::pair<double, double> slope(Index output, double re, double im) const;
  double noise(Index output) const { return noise_[static_cast<std::size_t>(output)]; }  ///< sd of the signal

 private:
  void check_detected(const Medium& medium, const std::string& file) const;
  void find_full_scale(const Medium& medium, double headroom);

  Index inputs_;
  Encoding encoding_;
  Detection detection_;
  double middle_in_, highest_in_, middle_out_, highest_out_;
  std::vector<double> full_scale_, noise_;
};

}  // namespace lightloop::wave
