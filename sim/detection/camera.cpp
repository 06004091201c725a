#include "sim/detection/camera.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace lightloop {
namespace {

// Least read-noise variance, in electrons squared, for one draw of shot and read noise. There the distribution function
// is off by at most 9.2e-5, at a mean of 8 electrons (summed over all counts); 2e-5 with a read noise of 13 electrons.
constexpr double kSmooth = 32;

}  // namespace

Camera::Camera(std::uint64_t seed, std::uint64_t instance, const CameraModel& model, Index pixels)
    : model_(model),
      pattern_(2, pixels),
      shot_(seed, instance, Purpose::camera_shot),
      read_(seed, instance, Purpose::camera_read),
      row_(seed, instance, Purpose::camera_row) {
  highest_ = std::exp2(model.bits) - 1;
  gain_ = model.gain_e_per_code > 0 ? model.gain_e_per_code : model.full_well_e / highest_;
  const double read = model.read_noise_e * model.read_noise_e;
  well_limits_ = model.full_well_e / gain_ + model.black_level < highest_ + 0.5;
  joint_ = model.shot_noise && read >= kSmooth && !well_limits_;
  const Stream pattern(seed, instance, Purpose::camera_fixed_pattern);
  pattern.normal(0, 0, pattern_.row(0));
  pattern.normal(1, 0, pattern_.row(1));
  for (float& g : pattern_.row(0)) g = std::max(0.0f, 1 + static_cast<float>(model.prnu) * g);
  for (float& d : pattern_.row(1)) d *= static_cast<float>(model.dsnu_e);
}

void Camera::expect(std::span<const float> photons_per_s, std::span<float> code) const {
  const auto base = static_cast<float>(model_.black_level + model_.dark_current_e_per_s * model_.exposure_s / gain_);
  const auto slope = static_cast<float>(model_.quantum_efficiency * model_.exposure_s / gain_);
  const auto per_electron = static_cast<float>(1 / gain_);
  const float* const response = pattern_.row(0).data();
  const float* const dsnu = pattern_.row(1).data();
  for (std::size_t p = 0; p < code.size(); ++p)
    code[p] = base + per_electron * dsnu[p] + slope * response[p] * photons_per_s[p];
}

double Camera::responsivity(Index pixel) const {
  return model_.quantum_efficiency * model_.exposure_s * static_cast<double>(pattern_(0, pixel)) / gain_;
}

// On entry `electrons` holds the mean; on return what was read before conversion.
void Camera::add_noise(std::uint64_t frame, std::span<float> electrons, std::span<float> scratch) const {
  if (joint_)
    draw_jointly(frame, electrons, scratch);
  else
    draw_apart(frame, electrons, scratch);
  if (model_.row_noise_e > 0) {
    const auto width = static_cast<std::size_t>(model_.width);
    for (std::size_t begin = 0, row = 0; begin < electrons.size(); begin += width, ++row) {
      const auto offset = static_cast<float>(model_.row_noise_e * row_.normal(frame, row));
      for (float& e : electrons.subspan(begin, std::min(width, electrons.size() - begin))) e += offset;
    }
  }
}

// Poisson(mean) + N(0, r^2) has the cumulants mean + r^2, mean, mean, ...; with r^2 >= kSmooth the lattice of the
// counts is washed out and the first terms of Cornish and Fisher's expansion give the law.
void Camera::draw_jointly(std::uint64_t frame, std::span<float> electrons, std::span<float> scratch) const {
  read_.normal(frame, 0, scratch);
  const auto read = static_cast<float>(model_.read_noise_e * model_.read_noise_e);
  const float* const z = scratch.data();
  const float* const dsnu = pattern_.row(1).data();
  float* const e = electrons.data();
#pragma GCC ivdep
  for (std::size_t p = 0; p < electrons.size(); ++p) {
    const float variance = e[p] + read;
    e[p] += std::sqrt(variance) * z[p] + e[p] / (6 * variance) * (z[p] * z[p] - 1) + dsnu[p];
  }
}

// On return `scratch` holds the electrons before the full well.
void Camera::draw_apart(std::uint64_t frame, std::span<float> electrons, std::span<float> scratch) const {
  if (model_.shot_noise) {
    shot_.poisson_fast(frame, 0, electrons, scratch);
    std::copy(scratch.begin(), scratch.end(), electrons.begin());
  }
  const auto full = static_cast<float>(model_.full_well_e), sigma = static_cast<float>(model_.read_noise_e);
  if (sigma > 0)
    read_.normal(frame, 0, scratch);
  else
    std::fill(scratch.begin(), scratch.end(), 0.0f);
  const float* const dsnu = pattern_.row(1).data();
  for (std::size_t p = 0; p < electrons.size(); ++p) {
    const float held = electrons[p];
    electrons[p] = std::min(held, full) + dsnu[p] + sigma * scratch[p];
    scratch[p] = held;
  }
}

template <class Code>
Index Camera::read_as(std::uint64_t frame, double photons_per_s, std::span<float> light, std::span<float> scratch,
                      std::span<Code> codes) const {
  LIGHTLOOP_ASSERT(static_cast<Index>(codes.size()) == pattern_.cols() && light.size() == codes.size() &&
                   scratch.size() == codes.size());
  const std::size_t n = codes.size();
  const auto scale = static_cast<float>(model_.quantum_efficiency * photons_per_s * model_.exposure_s);
  const auto dark = static_cast<float>(model_.dark_current_e_per_s * model_.exposure_s);
  const float* const response = pattern_.row(0).data();
  for (std::size_t p = 0; p < n; ++p) light[p] = scale * light[p] * response[p] + dark;
  add_noise(frame, light, scratch);

  const auto per_electron = static_cast<float>(1 / gain_), black = static_cast<float>(model_.black_level);
  const auto full = static_cast<float>(highest_);
  int clipped = 0;
  for (std::size_t p = 0; p < n; ++p) {
    const float code = std::nearbyint(light[p] * per_electron + black);
    clipped += (code < 0) | (code > full);
    codes[p] = static_cast<Code>(static_cast<int>(std::min(std::max(code, 0.0f), full)));
  }
  if (well_limits_)  // full wells whose code is not clipped as well
    for (std::size_t p = 0; p < n; ++p)
      clipped += static_cast<double>(scratch[p]) > model_.full_well_e &&
                 std::nearbyint(light[p] * per_electron + black) <= full;
  return clipped;
}

Index Camera::read(std::uint64_t frame, double photons_per_s, std::span<float> light, std::span<float> scratch,
                   std::span<std::uint8_t> codes) const {
  return read_as(frame, photons_per_s, light, scratch, codes);
}
Index Camera::read(std::uint64_t frame, double photons_per_s, std::span<float> light, std::span<float> scratch,
                   std::span<std::uint16_t> codes) const {
  return read_as(frame, photons_per_s, light, scratch, codes);
}

}  // namespace lightloop
