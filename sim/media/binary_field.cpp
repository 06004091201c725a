#include "sim/media/binary_field.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/error.hpp"

namespace lightloop {
namespace {

// Vectors of GCC and Clang, so that the sums of a tile stay in registers; rows need not be aligned.
using Lanes __attribute__((vector_size(64))) = float;
constexpr Index kLanes = 16, kTile = 4 * kLanes;

Lanes load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

void add_tile(std::span<const float* const> rows, Index at, float* out) {
  Lanes a{}, b{}, c{}, d{};
  for (const float* const row : rows) {
    a += load(row + at);
    b += load(row + at + kLanes);
    c += load(row + at + 2 * kLanes);
    d += load(row + at + 3 * kLanes);
  }
  const std::array<Lanes, 4> sums = {a, b, c, d};
  std::memcpy(out + at, sums.data(), sizeof sums);
}

}  // namespace

void binary_field(View<const float> matrix, std::span<const std::uint8_t> bits, std::span<float> field) {
  LIGHTLOOP_ASSERT(matrix.rows() <= kMostBinaryInputs && static_cast<Index>(bits.size()) == matrix.rows() &&
                   static_cast<Index>(field.size()) == matrix.cols());
  std::array<const float*, kMostBinaryInputs> on{};
  std::size_t count = 0;
  for (Index i = 0; i < matrix.rows(); ++i)
    if (bits[static_cast<std::size_t>(i)]) on[count++] = matrix.row(i).data();
  const std::span<const float* const> rows(on.data(), count);
  const Index whole = matrix.cols() / kTile * kTile;
  for (Index at = 0; at < whole; at += kTile) add_tile(rows, at, field.data());
  for (Index at = whole; at < matrix.cols(); ++at) {
    float sum = 0;
    for (const float* const row : rows) sum += row[at];
    field[static_cast<std::size_t>(at)] = sum;
  }
}

}  // namespace lightloop
