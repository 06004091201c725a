#include "sim/detection/converter.hpp"

#include <bit>
#include <cmath>

namespace lightloop {
namespace {

template <class Code>
void decode(std::span<const Code> codes, int bits, std::span<float> out) {
  const float scale = std::ldexp(1.0f, 1 - bits);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = scale * static_cast<float>(codes[i]) - 1.0f;
}

float rounded_up(float k, float u) {
  const float below = std::floor(k);
  return below + (u < k - below ? 1.0f : 0.0f);
}

/// Codes of numbers of steps from the middle, rounded by `rounded` of step and place.
template <class Code, class Rounded>
Index encode(std::span<const float> y, int bits, double range, std::span<Code> codes, const Rounded& rounded) {
  const float middle = std::ldexp(1.0f, bits - 1), top = 2 * middle - 1;
  const float gain = static_cast<float>(static_cast<double>(middle) / range);
  int clipped = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const float code = rounded(middle, gain * y[i], i);
    const float high = code > top ? top : code, stored = high > 0.0f ? high : 0.0f;  // NaN ends at 0
    clipped += code != stored;
    codes[i] = static_cast<Code>(static_cast<std::int32_t>(stored));
  }
  return clipped;
}

template <class Code>
Index encode(std::span<const float> y, int bits, double range, std::span<Code> codes, std::span<const float> u) {
  if (u.empty())
    return encode(y, bits, range, codes, [](float middle, float k, std::size_t) { return std::rint(middle + k); });
  return encode(y, bits, range, codes,
                [&](float middle, float k, std::size_t i) { return middle + rounded_up(k, u[i]); });
}

/// k of the levels k / half: whole numbers, or for an even number of levels those between.
struct Levels {
  explicit Levels(Index levels) : half(static_cast<float>(levels - 1) / 2), between(levels % 2 == 0 ? 0.5f : 0.0f) {}
  float rounded(float k) const { return std::rint(k - between) + between; }
  float rounded(float k, float u) const { return rounded_up(k - between, u) + between; }
  float nearest(float k) const {
    const float high = k > half ? half : k;
    return high > -half ? high : -half;  // NaN ends here
  }
  float half, between;
};

template <class Code>
Index encode_levels(std::span<const float> y, int bits, Index levels, double range, std::span<Code> codes,
                    std::span<const float> u) {
  const Levels of(levels);
  const float middle = std::ldexp(1.0f, bits - 1), top = 2 * middle - 1, step = middle / of.half;
  const float gain = static_cast<float>(static_cast<double>(of.half) / range);
  int clipped = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const float k = u.empty() ? of.rounded(gain * y[i]) : of.rounded(gain * y[i], u[i]);
    const float stored = of.nearest(k), code = std::rint(middle + step * stored);
    clipped += k != stored;
    codes[i] = static_cast<Code>(static_cast<std::int32_t>(code > top ? top : code));
  }
  return clipped;
}

}  // namespace

void from_codes(std::span<const std::uint8_t> codes, int bits, std::span<float> out) { decode(codes, bits, out); }
void from_codes(std::span<const std::uint16_t> codes, int bits, std::span<float> out) { decode(codes, bits, out); }
Index to_codes(std::span<const float> y, int bits, double range, std::span<std::uint8_t> codes,
               std::span<const float> u) {
  return encode(y, bits, range, codes, u);
}
Index to_codes(std::span<const float> y, int bits, double range, std::span<std::uint16_t> codes,
               std::span<const float> u) {
  return encode(y, bits, range, codes, u);
}

void to_levels(std::span<float> y, Index levels, std::span<const float> u) {
  const Levels of(levels);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const float k = of.half * y[i];
    y[i] = of.nearest(u.empty() ? of.rounded(k) : of.rounded(k, u[i])) / of.half;
  }
}
Index to_codes(std::span<const float> y, int bits, Index levels, double range, std::span<std::uint8_t> codes,
               std::span<const float> u) {
  return encode_levels(y, bits, levels, range, codes, u);
}
Index to_codes(std::span<const float> y, int bits, Index levels, double range, std::span<std::uint16_t> codes,
               std::span<const float> u) {
  return encode_levels(y, bits, levels, range, codes, u);
}

int level_bits(int bits, Index levels) {
  return levels == 0 ? bits : static_cast<int>(std::bit_width(static_cast<std::uint64_t>(levels - 1)));
}

void s_shape(std::span<float> y, float n) {
  for (float& value : y) value /= 1.0f + n * std::abs(value);
}

void asymmetry(std::span<float> y, float a) {
  for (float& value : y) value = value < 0 ? (1.0f - a) * value : value;
}

}  // namespace lightloop
