#include "sim/detection/converter.hpp"

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

}  // namespace

void from_codes(std::span<const std::uint8_t> codes, int bits, std::span<float> out) { decode(codes, bits, out); }
void from_codes(std::span<const std::uint16_t> codes, int bits, std::span<float> out) { decode(codes, bits, out); }
Index to_codes(std::span<const float> y, int bits, double range, std::span<std::uint8_t> codes) {
  return encode(y, bits, range, codes);
}
Index to_codes(std::span<const float> y, int bits, double range, std::span<std::uint16_t> codes) {
  return encode(y, bits, range, codes);
}

void s_shape(std::span<float> y, float n) {
  for (float& value : y) value /= 1.0f + n * std::abs(value);
}

void asymmetry(std::span<float> y, float a) {
  for (float& value : y) value = value < 0 ? (1.0f - a) * value : value;
}

}  // namespace lightloop
