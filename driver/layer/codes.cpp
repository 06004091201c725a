// Rows of numbers to codes and back: the loops that run for every element.
#include <algorithm>
#include <bit>
#include <cmath>

#include "core/error.hpp"
#include "driver/layer/state.hpp"

namespace lightloop {
namespace {

template <class Code>
Index encode(std::span<const float> x, float ratio, float top, float middle, std::span<Code> out) {
  int beyond = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float q = std::rint(x[i] * ratio);
    const float low = q < -top ? -top : q, code = low > top ? top : low;
    beyond += q != code;
    out[i] = static_cast<Code>(static_cast<std::int32_t>(code + middle));
  }
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(x.size()), out.end(), static_cast<Code>(middle));
  return beyond;
}

template <class Code>
Index at_ends(std::span<const Code> codes, std::uint32_t highest) {
  int count = 0;
  for (const Code code : codes) count += (code == 0) | (code == highest);
  return count;
}

}  // namespace

void check_finite(Index row, float largest) {
  if (!std::isfinite(largest))
    throw InvalidParameter("layer: input row " + std::to_string(row), "not finite", "finite numbers");
}

float largest_size(std::span<const float> x) {
  std::uint32_t largest = 0;  // sizes compare like their bits, NaN above all: this loop becomes vector code
  for (const float value : x) largest = std::max(largest, std::bit_cast<std::uint32_t>(value) & 0x7fffffffu);
  return std::bit_cast<float>(largest);
}

Index encode_row(std::span<const float> x, float ratio, float top, float middle, const Frames& out, Index row) {
  return out.bytes == 1 ? encode(x, ratio, top, middle, out.u8().row(row))
                        : encode(x, ratio, top, middle, out.u16().row(row));
}

Index codes_at_ends(const ConstFrames& codes, Index row, Index count, std::uint32_t highest) {
  const auto n = static_cast<std::size_t>(count);
  return codes.bytes == 1 ? at_ends(codes.u8().row(row).first(n), highest)
                          : at_ends(codes.u16().row(row).first(n), highest);
}

}  // namespace lightloop
