#include "sim/lasers/lang_kobayashi.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/random.hpp"

namespace lightloop {
namespace {
constexpr double kPi = std::numbers::pi;
constexpr double kK = 300e9, kG = 1e9;  // field and carrier decay of the default model

/// Steps for so many seconds.
Index steps(const LangKobayashiModel& model, double seconds) { return std::llround(seconds / model.step_s); }
}  // namespace

TEST_CASE("above threshold the solitary intensity is mu - 1 and the carriers are clamped at 1") {
  LangKobayashi laser({});
  for (const double mu : {1.2, 2.0, 3.0}) {
    laser.reset(1.1);  // so that it has a way to go
    laser.advance(steps(laser.model(), 60e-9), mu, 0, {});
    CHECK(laser.intensity() == Approx(mu - 1).epsilon(1e-10));
    CHECK(laser.carriers() == Approx(1).epsilon(1e-10));
  }
}

TEST_CASE("below threshold the light dies out and the carriers follow the pump") {
  LangKobayashi laser({});
  laser.reset(1.5);
  laser.advance(steps(laser.model(), 60e-9), 0.8, 0, {});
  CHECK(laser.intensity() < 1e-12);
  CHECK(laser.carriers() == Approx(0.8).epsilon(1e-10));
}

TEST_CASE("relaxation oscillations have the frequency and damping of the linearised equations") {
  for (const double mu : {1.2, 2.0, 3.0}) {
    LangKobayashiModel model;
    model.step_s = 0.2e-12;
    LangKobayashi laser(model);
    laser.reset(mu * 1.0005);
    // Intensity minus its rest, sampled; crossings upwards give the period, the peaks between them the decay.
    std::vector<double> crossing, peak;
    double before = 0, top = 0;
    for (Index n = 0; n < steps(model, 3e-9); ++n) {
      laser.advance(1, mu, 0, {});
      const double now = laser.intensity() - (mu - 1);
      if (before < 0 && now >= 0) {
        crossing.push_back((static_cast<double>(n) - now / (now - before)) * model.step_s);
        if (crossing.size() > 1) peak.push_back(top);
        top = 0;
      }
      top = std::max(top, now);
      before = now;
    }
    REQUIRE(crossing.size() >= 4);
    const std::size_t last = crossing.size() - 1;
    const double period = (crossing[last] - crossing[0]) / static_cast<double>(last);
    const double damping = std::log(peak.front() / peak.back()) / (static_cast<double>(peak.size() - 1) * period);
    const double gamma = kG * mu / 2, omega = std::sqrt(2 * kK * kG * (mu - 1) - gamma * gamma);
    INFO("mu " << mu << ": " << 1e-9 / period << " GHz, damping " << damping * 1e-9 << " per ns");
    CHECK(1 / period == Approx(omega / (2 * kPi)).epsilon(0.003));
    CHECK(damping == Approx(gamma).epsilon(0.01));
  }
}

TEST_CASE("weak feedback settles on the external-cavity mode of the Lang-Kobayashi theory") {
  for (const double phase : {0.0, 1.0, -2.5}) {
    LangKobayashiModel model;
    model.feedback_rate = 0.2e9;  // eta tau sqrt(1 + alpha^2) = 0.63 < 1: one mode only
    model.feedback_phase_rad = phase;
    model.delay_steps = steps(model, 1e-9);
    const double mu = 2, tau = 1e-9;
    // i w = k (1 + i alpha)(N - 1) + eta exp(i (phase - w tau))
    double w = 0;
    for (int i = 0; i < 200; ++i) {
      const double angle = w * tau - phase;
      w = 0.5 * w - 0.5 * model.feedback_rate * (model.alpha * std::cos(angle) + std::sin(angle));
    }
    const double n = 1 - model.feedback_rate / kK * std::cos(w * tau - phase);
    LangKobayashi laser(model);
    laser.reset(mu);
    laser.advance(steps(model, 200e-9), mu, 0, {});
    const auto first = laser.field();
    laser.advance(steps(model, 0.1e-9), mu, 0, {});
    INFO("feedback phase " << phase);
    CHECK(laser.intensity() == Approx((mu - n) / n).epsilon(1e-6));
    CHECK(laser.carriers() == Approx(n).epsilon(1e-6));
    CHECK(std::arg(laser.field() / first) / 0.1e-9 == Approx(w).epsilon(1e-4));
  }
}

TEST_CASE("weak injection locks inside Adler's range and not outside") {
  LangKobayashiModel model;
  model.injection_rate = 0.2e9;  // well below the damping of the relaxation oscillation
  const double range = model.injection_rate * std::sqrt(1 + model.alpha * model.alpha) / (2 * kPi);
  for (const auto& [fraction, locked] : {std::pair{-1.03, false}, {-0.97, true}, {0.97, true}, {1.03, false}}) {
    model.detuning_hz = fraction * range;
    LangKobayashi laser(model);
    laser.reset(2);
    laser.advance(steps(model, 150e-9), 2, 1, {});
    // Locked light turns with the injected light: its phase, taken relative to it, stands still.
    const auto relative = [&] {
      const double turns = model.detuning_hz * model.step_s * static_cast<double>(laser.steps());
      return laser.field() * std::polar(1.0, -2 * kPi * std::fmod(turns, 1.0));
    };
    double slip = 0;
    for (int i = 0; i < 100; ++i) {
      const auto before = relative();
      laser.advance(steps(model, 0.5e-9), 2, 1, {});
      slip += std::arg(relative() / before);
    }
    INFO("detuning " << fraction << " of Adler's range, phase slip " << slip);
    CHECK((std::abs(slip) < 0.1) == locked);
  }
}

TEST_CASE("intensity noise has the variance of the linearised equations (4 us)") {
  // dr = k R n dt + s dW, dn = -g mu n dt - 2 g R r dt, s^2 = b g: the Lyapunov equation gives var r.
  for (const double mu : {2.0, 3.0}) {
    LangKobayashiModel model;
    model.spontaneous = 1e-5;
    LangKobayashi laser(model);
    laser.reset(mu);
    const Stream stream(4, 0, Purpose::laser_spontaneous);
    std::vector<float> normals(2000);
    double sum = 0, square = 0;
    const int blocks = 4000;
    for (int block = 0; block < blocks; ++block) {
      stream.normal(static_cast<std::uint64_t>(block), 0, normals);
      for (int i = 0; i < 20; ++i) {
        laser.advance(50, mu, 0, std::span(normals).subspan(static_cast<std::size_t>(100 * i), 100));
        sum += laser.intensity();
        square += laser.intensity() * laser.intensity();
      }
    }
    const double mean = sum / (20 * blocks), sd = std::sqrt(square / (20 * blocks) - mean * mean);
    const double s2 = model.spontaneous * kG, r2 = mu - 1;
    const double expected = 2 * std::sqrt((s2 / (2 * kG * mu) + mu * s2 / (4 * kK * r2)) / r2);
    INFO("mu " << mu << ": " << sd / mean << ", theory " << expected);
    // About 4000 independent samples at a damping of 1 per ns: 1.1 % standard error; 3.7 % is 3.3 of them.
    CHECK(sd / mean == Approx(expected).epsilon(0.037));
  }
}

TEST_CASE("saving and loading continues with the same bits, and another delay is refused") {
  LangKobayashiModel model;
  model.feedback_rate = 20e9;
  model.delay_steps = 37;
  model.injection_rate = 10e9;
  model.detuning_hz = 3e9;
  LangKobayashi laser(model), other(model);
  laser.reset(1.5);
  laser.advance(1234, 1.5, 0.7, {});
  ByteWriter bytes;
  laser.save(bytes);
  const auto state = bytes.take();
  ByteReader reader(state, "laser");
  other.load(reader);
  reader.done();
  for (LangKobayashi* one : {&laser, &other}) one->advance(777, 1.4, 0.6, {});
  CHECK(laser.field() == other.field());
  CHECK(laser.carriers() == other.carriers());
  CHECK(laser.steps() == other.steps());
  model.delay_steps = 38;
  LangKobayashi wrong(model);
  ByteReader again(state, "laser");
  CHECK_THROWS_AS(wrong.load(again), InvalidParameter);
}

}  // namespace lightloop
