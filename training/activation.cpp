#include "training/activation.hpp"

#include <algorithm>
#include <vector>

#include "core/error.hpp"
#include "core/param.hpp"
#include "core/vector_math.hpp"

namespace lightloop {
namespace {

struct Named {
  const char* name;
  Activation activation;
};
constexpr Named kNames[] = {{"identity", Activation::identity},
                            {"tanh", Activation::tanh},
                            {"relu", Activation::relu},
                            {"sigmoid", Activation::sigmoid},
                            {"elu", Activation::elu}};

template <class F>
void each(std::span<const float> h, std::span<const float> in, std::span<float> out, F f) {
  const float* hp = h.data();
  const float* ip = in.data();
  float* op = out.data();
  const std::size_t n = out.size();
#pragma GCC ivdep
  for (std::size_t i = 0; i < n; ++i) op[i] = f(hp[i], ip[i]);
}

}  // namespace

Activation activation_from(const std::string& name) {
  std::vector<std::string> known;
  for (const Named& n : kNames) {
    if (name == n.name) return n.activation;
    known.emplace_back(n.name);
  }
  const auto near = nearest(name, known);
  throw UnknownName("activation", name, "identity, tanh, relu, sigmoid or elu",
                    near ? "did you mean " + *near + "?" : "");
}

std::string to_string(Activation activation) {
  for (const Named& n : kNames)
    if (n.activation == activation) return n.name;
  throw InternalError("activation", "not in the list");
}

void bias_and_activate(Activation f, std::span<const float> bias, std::span<float> a) {
  const float* b = bias.data();
  float* p = a.data();
  const std::size_t n = a.size();
  switch (f) {
    case Activation::identity:
      for (std::size_t i = 0; i < n; ++i) p[i] += b[i];
      return;
    case Activation::relu:
      for (std::size_t i = 0; i < n; ++i) p[i] = p[i] + b[i] > 0 ? p[i] + b[i] : 0.0f;
      return;
    case Activation::tanh:
      for (std::size_t i = 0; i < n; ++i) p[i] += b[i];
      return vector_tanh(a, a);
    case Activation::sigmoid:
      for (std::size_t i = 0; i < n; ++i) p[i] += b[i];
      return vector_sigmoid(a, a);
    case Activation::elu:
      for (std::size_t i = 0; i < n; ++i) p[i] += b[i];
      return vector_elu(a, a);
  }
}

void activate(Activation f, std::span<const float> a, std::span<float> out) {
  switch (f) {
    case Activation::identity:
      std::ranges::copy(a, out.begin());
      return;
    case Activation::relu:
      return each(a, a, out, [](float v, float) { return v > 0 ? v : 0.0f; });
    case Activation::tanh:
      return vector_tanh(a, out);
    case Activation::sigmoid:
      return vector_sigmoid(a, out);
    case Activation::elu:
      return vector_elu(a, out);
  }
}

void times_derivative(Activation f, std::span<const float> h, std::span<const float> in, float scale,
                      std::span<float> out) {
  switch (f) {
    case Activation::identity:
      return each(h, in, out, [scale](float, float g) { return scale * g; });
    case Activation::tanh:
      return each(h, in, out, [scale](float y, float g) { return scale * g * (1.0f - y * y); });
    case Activation::relu:
      return each(h, in, out, [scale](float y, float g) { return y > 0 ? scale * g : 0.0f; });
    case Activation::sigmoid:
      return each(h, in, out, [scale](float y, float g) { return scale * g * y * (1.0f - y); });
    case Activation::elu:
      return each(h, in, out, [scale](float y, float g) { return y > 0 ? scale * g : scale * g * (y + 1.0f); });
  }
}

}  // namespace lightloop
