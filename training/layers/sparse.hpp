#pragma once
// Products with a batch that is mostly zeros: words of papers.
#include "core/array.hpp"
#include "training/layers/layer.hpp"

namespace lightloop {

/// What is not zero in x, row by row: row r's columns are places(0, r) ... places(0, r + 1) behind the rows + 1 counts
/// in `places`, its values lie at the same places of `values`. Returns false, and leaves the rest alone, where more
/// than 1 / 16 of x is not zero (assumed: the dense product is then as fast).
bool list_nonzeros(View<const float> x, Matrix<std::int32_t>& places, Matrix<float>& values);

/// y = x W^T with x as listed; W (outputs, inputs). `turned` is workspace. Each value is summed in the order of x.
void sparse_times(const Matrix<std::int32_t>& places, const Matrix<float>& values, View<const float> w,
                  Matrix<float>& turned, View<float> y);
/// dw = delta^T x, the same way.
void sparse_gradient(const Matrix<std::int32_t>& places, const Matrix<float>& values, View<const float> delta,
                     Matrix<float>& turned, View<float> dw);

}  // namespace lightloop
