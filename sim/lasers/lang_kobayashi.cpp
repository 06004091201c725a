#include "sim/lasers/lang_kobayashi.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/ode/heun.hpp"

namespace lightloop {
namespace {

/// The plain product; std::complex's own stops to look for infinities.
std::complex<double> product(std::complex<double> a, std::complex<double> b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

}  // namespace

LangKobayashi::LangKobayashi(const LangKobayashiModel& model) : model_(model), past_(model.delay_steps, 0.0) {}

void LangKobayashi::change(const LangKobayashiModel& model) {
  LIGHTLOOP_ASSERT(model.delay_steps == model_.delay_steps);
  model_ = model;
}

void LangKobayashi::reset(double mu) {
  x_ = {std::sqrt(std::max(mu - 1, 0.0)), 0, std::min(mu, 1.0)};
  past_ = {model_.delay_steps, 0.0};
  past_.push(field());
  step_ = 0;
}

double LangKobayashi::advance(Index steps, double mu, double injected, std::span<const float> normals) {
  LIGHTLOOP_ASSERT(normals.empty() || static_cast<Index>(normals.size()) == 2 * steps);
  const LangKobayashiModel& m = model_;
  const double h = m.step_s, k = 0.5 / m.photon_lifetime_s, g = 1 / m.carrier_lifetime_s;
  const std::complex<double> feedback = std::polar(m.feedback_rate, m.feedback_phase_rad);
  const double noise_scale = std::sqrt(m.spontaneous * g * h);
  // The injected field turns by a fixed angle per step; the phase at the start is taken modulo one turn of the step
  // counter, so that it stays exact however long the laser runs.
  const auto turned = [&](double count) {
    return std::polar(1.0, 2 * std::numbers::pi * std::fmod(m.detuning_hz * h * count, 1.0));
  };
  const std::complex<double> turn = turned(1);
  std::complex<double> injection = m.injection_rate * injected * turned(static_cast<double>(step_));

  // Everything that does not depend on the state, at the two ends of the present step.
  std::complex<double> forcing[2];
  const float* xi = nullptr;
  double start = 0;
  const auto drift = [&](const State& x, State& dxdt, double t) {
    const std::complex<double>& f = forcing[t > start];
    const double gain = k * (x[2] - 1);
    dxdt[0] = gain * (x[0] - m.alpha * x[1]) + f.real();
    dxdt[1] = gain * (x[1] + m.alpha * x[0]) + f.imag();
    dxdt[2] = g * (mu - x[2] * (1 + x[0] * x[0] + x[1] * x[1]));
  };
  const auto noise = [&](const State& x, State& increment, double) {
    const double sd = noise_scale * std::sqrt(std::max(x[2], 0.0));
    increment = {sd * static_cast<double>(xi[0]), sd * static_cast<double>(xi[1]), 0};
  };
  const StochasticSystem noisy{drift, noise};
  const Heun<State> heun;

  double sum = 0;
  for (Index n = 0; n < steps; ++n) {
    forcing[0] = product(feedback, past_.ago(m.delay_steps)) + injection;
    injection = product(injection, turn);
    forcing[1] = product(feedback, past_.ago(m.delay_steps - 1)) + injection;
    start = static_cast<double>(step_) * h;
    if (normals.empty()) {
      heun.do_step(drift, x_, start, h);
    } else {
      xi = normals.data() + 2 * n;
      heun.do_step(noisy, x_, start, h);
    }
    past_.push(field());
    ++step_;
    sum += intensity();
  }
  return sum / static_cast<double>(steps);
}

void LangKobayashi::save(ByteWriter& bytes) const {
  bytes.put(step_);
  bytes.put(x_);
  bytes.put(static_cast<std::int64_t>(past_.steps()));
  for (Index back = past_.steps(); back >= 0; --back) bytes.put(past_.ago(back));
}

void LangKobayashi::load(ByteReader& bytes) {
  const auto step = bytes.get<std::uint64_t>();
  const auto x = bytes.get<State>();
  const auto steps = bytes.get<std::int64_t>();
  if (steps != past_.steps()) bytes.refuse("a delay of " + std::to_string(steps) + " steps");
  std::vector<std::complex<double>> values(static_cast<std::size_t>(steps) + 1);
  for (auto& value : values) value = bytes.get<std::complex<double>>();
  step_ = step;
  x_ = x;
  for (const auto& value : values) past_.push(value);
}

}  // namespace lightloop
