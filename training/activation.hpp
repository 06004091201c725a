#pragma once
// The element-wise non-linearities and their derivatives, one row at a time.
#include <span>
#include <string>

#include "core/array.hpp"

namespace lightloop {

/// elu is a above 0 and exp(a) - 1 below (Clevert, Unterthiner, Hochreiter, ICLR 2016, alpha = 1). For each of these
/// f'(a) is a function of f(a), so a forward pass keeps f(a) only.
enum class Activation { identity, tanh, relu, sigmoid, elu };
Activation activation_from(const std::string& name);  ///< throws UnknownName
std::string to_string(Activation activation);

/// a <- f(a + bias), both (d).
void bias_and_activate(Activation f, std::span<const float> bias, std::span<float> a);
/// out <- f(a), same sizes.
void activate(Activation f, std::span<const float> a, std::span<float> out);
/// out <- scale * in * f'(a) with f'(a) read from h = f(a); `in` and `out` may be the same row.
void times_derivative(Activation f, std::span<const float> h, std::span<const float> in, float scale,
                      std::span<float> out);

}  // namespace lightloop
