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

template <class Code>
Index encode(std::span<const float> y, int bits, double range, std::span<Code> codes) {
  const float middle = std::ldexp(1.0f, bits - 1), top = 2 * middle - 1;
  const float gain = static_cast<float>(static_cast<double>(middle) / range);
  int clipped = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const float code = std::rint(middle + gain * y[i]);
    const float high = code > top ? top : code, stored = high > 0.0f ? high : 0.0f;  // NaN ends at 0
    clipped += code != stored;
    codes[i] = static_cast<Code>(static_cast<std::int32_t>(stored));
  }
  return clipped;
}

/// k of the levels k / half: whole numbers, or for an even number of levels those between.
struct Levels {
  explicit Levels(Index levels) : half(static_cast<float>(levels - 1) / 2), between(levels % 2 == 0 ? 0.5f : 0.0f) {}
  float rounded(float k) const { return std::rint(k - between) + between; }
  float nearest(float k) const {
    const float high = k > half ? half : k;
    return high > -half ? high : -half;  // NaN ends here
  }
  float half, between;
};

template <class Code>
Index encode_levels(std::span<const float> y, int bits, Index levels, double range, std::span<Code> codes) {
  const Levels of(levels);
  const float middle = std::ldexp(1.0f, bits - 1), top = 2 * middle - 1, step = middle / of.half;
  const float gain = static_cast<float>(static_cast<double>(of.half) / range);
  int clipped = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const float k = of.rounded(gain * y[i]), stored = of.nearest(k), code = std::rint(middle + step * stored);
    clipped += k != stored;
    codes[i] = static_cast<Code>(static_cast<std::int32_t>(code > top ? top : code));
  }
  return clipped;
}

}  // namespace

void from_codes(std::span<const std::uint8_t> codes, int bits, std::span<float> out) { decode(codes, bits, out); }
void from_codes(std::span<const std::uint16_t> codes, int bits, std::span<float> out) { decode(codes, bits, out); }
Index to_codes(std::span<const float> y, int bits, double range, std::span<std::uint8_t> codes) {
  return encode(y, bits, range, codes);
}
Index to_codes(std::span<const float> y, int bits, double range, std::span<std::uint16_t> codes) {
  return encode(y, bits, range, codes);
}

void to_levels(std::span<float> y, Index levels) {
  const Levels of(levels);
  for (float& value : y) value = of.nearest(of.rounded(of.half * value)) / of.half;
}
Index to_codes(std::span<const float> y, int bits, Index levels, double range, std::span<std::uint8_t> codes) {
  return encode_levels(y, bits, levels, range, codes);
}
Index to_codes(std::span<const float> y, int bits, Index levels, double range, std::span<std::uint16_t> codes) {
  return encode_levels(y, bits, levels, range, codes);
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
