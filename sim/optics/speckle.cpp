#include "sim/optics/speckle.hpp"

#include <cmath>

#include "core/error.hpp"

namespace lightloop {

std::vector<float> grain_weights(double mean_grains) {
  if (!(mean_grains >= 1) || mean_grains > 1e6)
    throw OutOfRange("speckle grains per pixel", std::to_string(mean_grains), "1 .. 1e6",
                     "A pixel smaller than a grain still sees one grain.");
  const double m = mean_grains, n = std::ceil(m);
  if (n == 1) return {1.0f};
  // n - 1 shares of u and one of 1 - (n - 1) u: sum of squares 1/m is a quadratic equation in u
  const double u = (1 + std::sqrt(std::max(0.0, 1 - n * (1 - 1 / m) / (n - 1)))) / n;
  std::vector<float> weights(static_cast<std::size_t>(n), static_cast<float>(u));
  weights.back() = static_cast<float>(1 - (n - 1) * u);
  return weights;
}

void jitter_field(double jitter, double mean_power, std::span<const float> constant, float gain,
                  std::span<const float> normal, std::span<float> field) {
  const double kept = std::sqrt(1 - jitter * jitter);
  const auto keep = static_cast<float>(kept), lost = static_cast<float>((1 - kept) / static_cast<double>(gain));
  const auto fresh = static_cast<float>(jitter * std::sqrt(mean_power / 2) / static_cast<double>(gain));
  for (std::size_t i = 0; i < field.size(); ++i) field[i] = keep * field[i] + fresh * normal[i] - lost * constant[i];
}

namespace {

// The intensity may lie over the first plane of the field: every element is read before it is written, so the compiler
// may be told that iterations are independent.
template <bool kFirst, bool kReference>
void add_grain(float weight, const float* f, const float* c, float gain, const ReferenceField& ref, Index pixels,
               float* out) {
  const float* const rr = ref.re.data();
  const float* const ri = ref.im.data();
  const float cp = ref.cos_phase, sp = ref.sin_phase;
#pragma GCC ivdep
  for (Index p = 0; p < pixels; ++p) {
    float re = c[p] + gain * f[p], im = c[p + pixels] + gain * f[p + pixels];
    if constexpr (kReference) {
      re += rr[p] * cp - ri[p] * sp;
      im += rr[p] * sp + ri[p] * cp;
    }
    const float power = weight * (re * re + im * im);
    out[p] = kFirst ? power : out[p] + power;
  }
}

}  // namespace

void pixel_intensity(std::span<const float> weights, std::span<const float> field, std::span<const float> constant,
                     float gain, const ReferenceField& reference, std::span<float> intensity) {
  const auto pixels = static_cast<Index>(intensity.size());
  LIGHTLOOP_ASSERT(field.size() == 2 * weights.size() * intensity.size() && constant.size() == field.size());
  for (std::size_t g = 0; g < weights.size(); ++g) {
    const auto offset = static_cast<Index>(2 * g) * pixels;
    const float* const f = field.data() + offset;
    const float* const c = constant.data() + offset;
    const bool with_reference = !reference.re.empty();
    auto* const kernel = g == 0 ? (with_reference ? &add_grain<true, true> : &add_grain<true, false>)
                                : (with_reference ? &add_grain<false, true> : &add_grain<false, false>);
    kernel(weights[g], f, c, gain, reference, pixels, intensity.data());
  }
}

}  // namespace lightloop
