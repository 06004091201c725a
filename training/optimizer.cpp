#include "training/optimizer.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>

#include "core/error.hpp"
#include "training/elementwise.hpp"

namespace lightloop {
namespace {

constexpr Index kLanes = 16;  // weights updated together; whatever the position, each sees the same instructions
constexpr float kTiny = 1e-30f;

using Vec [[gnu::vector_size(kLanes * sizeof(float))]] = float;
using Bits [[gnu::vector_size(kLanes * sizeof(float))]] = std::uint32_t;

Vec load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
void store(float* p, Vec v) { std::memcpy(p, &v, sizeof v); }

Vec flushed(Vec v) {
  const Vec size = std::bit_cast<Vec>(std::bit_cast<Bits>(v) & 0x7fffffffu);
  return size < kTiny ? Vec{} : v;
}

/// x >= 0, normal or zero (where the value is large and finite). A shift of the bits halves the exponent (error 3.5 %);
/// three Newton steps square the error. Hardware division and square root would take longer than the memory does.
Vec inverse_root(Vec x) {
  Vec y = std::bit_cast<Vec>(0x5f3759dfu - (std::bit_cast<Bits>(x) >> 1));
  const Vec half = 0.5f * x;
  for (int i = 0; i < 3; ++i) y = y * (1.5f - half * y * y);
  return y;
}

/// x > 0. A difference of the bits turns the exponent round (error 12 %); three Newton steps square the error.
Vec reciprocal(Vec x) {
  Vec y = std::bit_cast<Vec>(0x7ef311c7u - std::bit_cast<Bits>(x));
  for (int i = 0; i < 3; ++i) y = y * (2.0f - x * y);
  return y;
}

using Factors = OptimizerStep::Factors;

/// `count`, a multiple of kLanes, weights with their gradients and moments.
void advance(OptimizerKind kind, const Factors& k, const float* g, float* w, float* m, float* v, Index count) {
  switch (kind) {
    case OptimizerKind::sgd:
      for (Index i = 0; i < count; i += kLanes) store(w + i, load(w + i) - k.lr * load(g + i));
      return;
    case OptimizerKind::momentum:
      for (Index i = 0; i < count; i += kLanes) {
        const Vec velocity = flushed(k.momentum * load(m + i) + load(g + i));
        store(m + i, velocity);
        store(w + i, load(w + i) - k.lr * velocity);
      }
      return;
    case OptimizerKind::adam:
      for (Index i = 0; i < count; i += kLanes) {
        const Vec grad = load(g + i);
        const Vec first = flushed(k.beta1 * load(m + i) + (1.0f - k.beta1) * grad);
        const Vec second = flushed(k.beta2 * load(v + i) + (1.0f - k.beta2) * grad * grad);
        store(m + i, first);
        store(v + i, second);
        const Vec root = second * inverse_root(second);
        store(w + i, load(w + i) - k.rate * first * reciprocal(root * k.root + k.epsilon));
      }
      return;
  }
}

/// Any number of weights: the last ones, fewer than kLanes, are updated in a copy that is filled up with zeros.
void advance_all(OptimizerKind kind, const Factors& k, const float* g, float* w, float* m, float* v, Index count) {
  const Index whole = count - count % kLanes;
  advance(kind, k, g, w, m, v, whole);
  if (whole == count) return;
  float rest[4][kLanes] = {};
  const auto bytes = static_cast<std::size_t>(count - whole) * sizeof(float);
  float* const kept[] = {w, m, v};
  std::memcpy(rest[3], g + whole, bytes);
  for (int i = 0; i < 3; ++i)
    if (kept[i]) std::memcpy(rest[i], kept[i] + whole, bytes);
  advance(kind, k, rest[3], rest[0], rest[1], rest[2], kLanes);
  for (int i = 0; i < 3; ++i)
    if (kept[i]) std::memcpy(kept[i] + whole, rest[i], bytes);
}

std::size_t moments_of(OptimizerKind kind) {
  return kind == OptimizerKind::sgd ? 0 : kind == OptimizerKind::momentum ? 1 : 2;
}

}  // namespace

OptimizerKind optimizer_from(const std::string& name) {
  if (name == "sgd") return OptimizerKind::sgd;
  if (name == "momentum") return OptimizerKind::momentum;
  if (name == "adam") return OptimizerKind::adam;
  throw UnknownName("optimizer", name, "sgd, momentum or adam");
}

OptimizerState optimizer_state(const OptimizerSettings& settings, Index parameters) {
  OptimizerState state;
  for (std::size_t i = 0; i < moments_of(settings.kind); ++i) state.moments.emplace_back(1, parameters);
  return state;
}

OptimizerStep::OptimizerStep(const OptimizerSettings& settings, OptimizerState& state, double lr, Index parameters)
    : kind_(settings.kind), state_(state) {
  bool fits = state.moments.size() == moments_of(kind_);
  for (const Matrix<float>& moment : state.moments) fits = fits && moment.size() == parameters;
  if (!fits)
    throw ShapeMismatch("optimizer step", std::to_string(state.moments.size()) + " moments",
                        std::to_string(parameters) + " weights", "make the state with optimizer_state()");
  const auto t = static_cast<double>(++state.steps);
  factors_ = {static_cast<float>(lr),
              static_cast<float>(settings.momentum),
              static_cast<float>(settings.beta1),
              static_cast<float>(settings.beta2),
              static_cast<float>(lr / (1 - std::pow(settings.beta1, t))),
              static_cast<float>(1 / std::sqrt(1 - std::pow(settings.beta2, t))),
              static_cast<float>(settings.epsilon)};
}

void OptimizerStep::part(Index first, std::span<const float> g, std::span<float> w) const {
  if (g.size() != w.size())
    throw ShapeMismatch("optimizer step", std::to_string(g.size()) + " gradients",
                        std::to_string(w.size()) + " weights");
  for_chunks(static_cast<Index>(w.size()), kChunk, [&](Index begin, Index count) {
    const auto moment = [&](std::size_t i) {
      return i < state_.moments.size() ? state_.moments[i].data() + first + begin : nullptr;
    };
    advance_all(kind_, factors_, g.data() + begin, w.data() + begin, moment(0), moment(1), count);
  });
}

void optimizer_step(const OptimizerSettings& settings, OptimizerState& state, double lr, std::span<const float> g,
                    std::span<float> w) {
  OptimizerStep(settings, state, lr, static_cast<Index>(w.size())).part(0, g, w);
}

ScheduleKind schedule_from(const std::string& name) {
  if (name == "constant") return ScheduleKind::constant;
  if (name == "cosine") return ScheduleKind::cosine;
  if (name == "step") return ScheduleKind::step;
  if (name == "late") return ScheduleKind::late;
  throw UnknownName("schedule", name, "constant, cosine, step or late");
}

double Schedule::at(Index step, Index steps) const {
  switch (kind) {
    case ScheduleKind::constant:
      return lr;
    case ScheduleKind::cosine:
      return 0.5 * lr * (1 + std::cos(std::numbers::pi * static_cast<double>(step) / static_cast<double>(steps)));
    case ScheduleKind::step:
      return lr * std::pow(factor, static_cast<double>(step / every));
    case ScheduleKind::late:
      return lr * std::min(1.0, 2 - 2 * static_cast<double>(step) / static_cast<double>(steps));
  }
  throw InternalError("schedule", "not in the list");
}

}  // namespace lightloop
