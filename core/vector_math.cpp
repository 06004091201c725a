#include "core/vector_math.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

#include "core/elementary.hpp"
#include "core/error.hpp"

namespace lightloop {
namespace {

constexpr std::size_t kBlock = 64;

/// One block, always of the same length, so that every element passes through the same vector code.
template <float (*f)(float)>
[[gnu::noinline]] void block(const float* in, float* out) {
  float value[kBlock];
  for (std::size_t i = 0; i < kBlock; ++i) value[i] = f(in[i]);
  std::copy_n(value, kBlock, out);
}

template <float (*f)(float)>
void apply(const char* name, std::span<const float> in, std::span<float> out) {
  if (in.size() != out.size())
    throw ShapeMismatch(name, "out holds " + std::to_string(out.size()), "in holds " + std::to_string(in.size()));
  std::size_t i = 0;
  for (; i + kBlock <= in.size(); i += kBlock) block<f>(in.data() + i, out.data() + i);
  if (i == in.size()) return;
  float tail[kBlock] = {};
  std::copy(in.begin() + static_cast<std::ptrdiff_t>(i), in.end(), tail);
  block<f>(tail, tail);
  std::copy_n(tail, in.size() - i, out.data() + i);
}

}  // namespace

void vector_tanh(std::span<const float> in, std::span<float> out) { apply<elementary::tanh>("vector_tanh", in, out); }
void vector_sigmoid(std::span<const float> in, std::span<float> out) {
  apply<elementary::sigmoid>("vector_sigmoid", in, out);
}
void vector_exp(std::span<const float> in, std::span<float> out) { apply<elementary::exp>("vector_exp", in, out); }
void vector_log(std::span<const float> in, std::span<float> out) { apply<elementary::log>("vector_log", in, out); }

}  // namespace lightloop
