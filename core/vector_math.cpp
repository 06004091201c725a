#include "core/vector_math.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "core/elementary.hpp"
#include "core/error.hpp"

namespace lightloop {
namespace {

using elementary::CosSin;

constexpr std::size_t kBlock = 64;

/// One block, always of the same length, so that every element passes through the same vector code.
template <float (*f)(float)>
[[gnu::noinline]] void block(const float* in, float* out) {
  float value[kBlock];
  for (std::size_t i = 0; i < kBlock; ++i) value[i] = f(in[i]);
  std::copy_n(value, kBlock, out);
}

/// The same for angles, the largest of which, NaN too, go to the standard library.
template <float CosSin::*part, float (*beyond)(float)>
[[gnu::noinline]] void angles(const float* in, float* out) {
  float value[kBlock];
  bool within = true;
  for (std::size_t i = 0; i < kBlock; ++i) value[i] = elementary::cos_sin(in[i]).*part;
  for (std::size_t i = 0; i < kBlock; ++i) within &= std::abs(in[i]) < elementary::kMostRadian;
  for (std::size_t i = 0; !within && i < kBlock; ++i)
    if (!(std::abs(in[i]) < elementary::kMostRadian)) value[i] = beyond(in[i]);
  std::copy_n(value, kBlock, out);
}

template <void (*block)(const float*, float*)>
void apply(const char* name, std::span<const float> in, std::span<float> out) {
  if (in.size() != out.size())
    throw ShapeMismatch(name, "out holds " + std::to_string(out.size()), "in holds " + std::to_string(in.size()));
  std::size_t i = 0;
  for (; i + kBlock <= in.size(); i += kBlock) block(in.data() + i, out.data() + i);
  if (i == in.size()) return;
  float tail[kBlock] = {};
  std::copy(in.begin() + static_cast<std::ptrdiff_t>(i), in.end(), tail);
  block(tail, tail);
  std::copy_n(tail, in.size() - i, out.data() + i);
}

}  // namespace

void vector_tanh(std::span<const float> in, std::span<float> out) {
  apply<block<elementary::tanh>>("vector_tanh", in, out);
}
void vector_sigmoid(std::span<const float> in, std::span<float> out) {
  apply<block<elementary::sigmoid>>("vector_sigmoid", in, out);
}
void vector_elu(std::span<const float> in, std::span<float> out) {
  apply<block<elementary::elu>>("vector_elu", in, out);
}
void vector_exp(std::span<const float> in, std::span<float> out) {
  apply<block<elementary::exp>>("vector_exp", in, out);
}
void vector_log(std::span<const float> in, std::span<float> out) {
  apply<block<elementary::log>>("vector_log", in, out);
}
void vector_cos(std::span<const float> in, std::span<float> out) {
  apply<angles<&CosSin::cos, std::cos>>("vector_cos", in, out);
}
void vector_sin(std::span<const float> in, std::span<float> out) {
  apply<angles<&CosSin::sin, std::sin>>("vector_sin", in, out);
}

}  // namespace lightloop
