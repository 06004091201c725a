#pragma once
// Elementwise functions for hot loops. A value depends on its argument only: not on its position, not on the length of
// the span, not on the tail of a vector loop.
#include <span>

namespace lightloop {

/// out[i] = f(in[i]); sizes equal (ShapeMismatch), `in` and `out` the same span or disjoint. Single-threaded; allocates
/// nothing. NaN gives NaN.
void vector_tanh(std::span<const float> in, std::span<float> out);
void vector_sigmoid(std::span<const float> in, std::span<float> out);  ///< 1 / (1 + exp(-x))
void vector_elu(std::span<const float> in, std::span<float> out);      ///< x above 0, exp(x) - 1 below
void vector_exp(std::span<const float> in, std::span<float> out);      ///< overflows to +inf, underflows to 0
void vector_log(std::span<const float> in, std::span<float> out);      ///< log 0 = -inf, of a negative number NaN
void vector_cos(std::span<const float> in, std::span<float> out);      ///< radian, of any size; of infinity NaN
void vector_sin(std::span<const float> in, std::span<float> out);      ///< as vector_cos

}  // namespace lightloop
