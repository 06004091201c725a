#pragma once
// The field of one binary pattern behind a medium with few inputs: a sum of columns of H, without a product.
#include <cstdint>
#include <span>

#include "core/array.hpp"

namespace lightloop {

/// Most inputs that binary_field takes.
inline constexpr Index kMostBinaryInputs = 64;

/// field = sum over i with bits[i] != 0 of matrix.row(i), added in ascending order of i.
///
/// `matrix` is (inputs, planes), inputs <= kMostBinaryInputs, planes = field.size(). For few inputs this is faster than
/// a matrix product and costs the same per frame whatever the batch.
void binary_field(View<const float> matrix, std::span<const std::uint8_t> bits, std::span<float> field);

}  // namespace lightloop
