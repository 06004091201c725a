#include "training/optimizer.hpp"

#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "training/elementwise.hpp"

namespace lightloop {
namespace {

constexpr float kTiny = 1e-30f;

inline float flushed(float v) { return std::fabs(v) < kTiny ? 0.0f : v; }

void sgd(std::span<float> w, std::span<const float> g, float lr) {
  for_chunks(static_cast<Index>(w.size()), kChunk, [&](Index first, Index count) {
    float* __restrict wp = w.data() + first;
    const float* __restrict gp = g.data() + first;
    for (Index i = 0; i < count; ++i) wp[i] -= lr * gp[i];
  });
}

void momentum(std::span<float> w, std::span<const float> g, float* u, float lr, float decay) {
  for_chunks(static_cast<Index>(w.size()), kChunk, [&](Index first, Index count) {
    float* __restrict wp = w.data() + first;
    float* __restrict up = u + first;
    const float* __restrict gp = g.data() + first;
    for (Index i = 0; i < count; ++i) {
      const float next = flushed(decay * up[i] + gp[i]);
      up[i] = next;
      wp[i] -= lr * next;
    }
  });
}

struct AdamFactors {
  float beta1, beta2, rate, root, epsilon;  ///< rate = lr / (1-b1^t), root = 1 / sqrt(1-b2^t)
};

void adam(std::span<float> w, std::span<const float> g, float* m, float* v, const AdamFactors& k) {
  for_chunks(static_cast<Index>(w.size()), kChunk, [&, k](Index first, Index count) {
    float* __restrict wp = w.data() + first;
    float* __restrict mp = m + first;
    float* __restrict vp = v + first;
    const float* __restrict gp = g.data() + first;
    const float one_less_1 = 1.0f - k.beta1, one_less_2 = 1.0f - k.beta2;
    for (Index i = 0; i < count; ++i) {
      const float grad = gp[i];
      const float first_moment = flushed(k.beta1 * mp[i] + one_less_1 * grad);
      const float second_moment = flushed(k.beta2 * vp[i] + one_less_2 * grad * grad);
      mp[i] = first_moment;
      vp[i] = second_moment;
      wp[i] -= k.rate * first_moment / (std::sqrt(second_moment) * k.root + k.epsilon);
    }
  });
}

}  // namespace

OptimizerKind optimizer_from(const std::string& name) {
  if (name == "sgd") return OptimizerKind::sgd;
  if (name == "momentum") return OptimizerKind::momentum;
  if (name == "adam") return OptimizerKind::adam;
  throw UnknownName("optimizer", name, "sgd, momentum or adam");
}

OptimizerState optimizer_state(const OptimizerSettings& settings, Index parameters) {
  const int count = settings.kind == OptimizerKind::sgd ? 0 : settings.kind == OptimizerKind::momentum ? 1 : 2;
  OptimizerState state;
  for (int i = 0; i < count; ++i) state.moments.emplace_back(1, parameters);
  return state;
}

void optimizer_step(const OptimizerSettings& settings, OptimizerState& state, double lr, std::span<const float> g,
                    std::span<float> w) {
  const std::size_t expected = settings.kind == OptimizerKind::sgd        ? 0
                               : settings.kind == OptimizerKind::momentum ? 1
                                                                          : 2;
  bool fits = g.size() == w.size() && state.moments.size() == expected;
  for (const Matrix<float>& moment : state.moments) fits = fits && moment.size() == static_cast<Index>(w.size());
  if (!fits)
    throw ShapeMismatch("optimizer step", std::to_string(g.size()) + " gradients",
                        std::to_string(w.size()) + " weights", "make the state with optimizer_state()");
  ++state.steps;
  switch (settings.kind) {
    case OptimizerKind::sgd:
      return sgd(w, g, static_cast<float>(lr));
    case OptimizerKind::momentum:
      return momentum(w, g, state.moments[0].data(), static_cast<float>(lr), static_cast<float>(settings.momentum));
    case OptimizerKind::adam: {
      const auto t = static_cast<double>(state.steps);
      return adam(
          w, g, state.moments[0].data(), state.moments[1].data(),
          {static_cast<float>(settings.beta1), static_cast<float>(settings.beta2),
           static_cast<float>(lr / (1 - std::pow(settings.beta1, t))),
           static_cast<float>(1 / std::sqrt(1 - std::pow(settings.beta2, t))), static_cast<float>(settings.epsilon)});
    }
  }
}

ScheduleKind schedule_from(const std::string& name) {
  if (name == "constant") return ScheduleKind::constant;
  if (name == "cosine") return ScheduleKind::cosine;
  if (name == "step") return ScheduleKind::step;
  throw UnknownName("schedule", name, "constant, cosine or step");
}

double Schedule::at(Index step, Index steps) const {
  switch (kind) {
    case ScheduleKind::constant:
      return lr;
    case ScheduleKind::cosine:
      return 0.5 * lr * (1 + std::cos(std::numbers::pi * static_cast<double>(step) / static_cast<double>(steps)));
    case ScheduleKind::step:
      return lr * std::pow(factor, static_cast<double>(step / every));
  }
  throw InternalError("schedule", "not in the list");
}

}  // namespace lightloop
