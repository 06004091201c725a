#include "sim/lasers/spin_flip.hpp"

#include <array>
#include <boost/numeric/odeint/integrate/integrate_adaptive.hpp>
#include <boost/numeric/odeint/stepper/generation.hpp>
#include <catch2/catch.hpp>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/error.hpp"
#include "core/random_side_by_side.hpp"

namespace lightloop {
namespace {

constexpr double kPi = std::numbers::pi;

/// One laser, at constant pump and injection.
struct One {
  std::unique_ptr<Lasers> lasers;
  explicit One(const LaserGrid& grid, const LaserModel& model = {}) : lasers(make_lasers(grid, 1)) {
    lasers->set(0, model);
  }
  double advance(double seconds, double pump, double injected = 0) {
    double x, y;
    lasers->advance(std::llround(seconds / lasers->grid().step_s), &pump, &injected, nullptr, 0, &x, &y);
    return x + y;
  }
  LaserState state() const { return lasers->state(0); }
};

/// The same equations again, in circular polarisations and without a frame, by Odeint's Dormand-Prince to 1e-12.
LaserState by_odeint(const LaserModel& m, LaserState s, double pump, double injected, double seconds) {
  using State = std::array<double, 6>;
  using Complex = std::complex<double>;
  const double k = 0.5 / m.photon_lifetime_s, g = 1 / m.carrier_lifetime_s;
  const double root = std::sqrt(0.5);
  const Complex up = root * (s.x + Complex(0, 1) * s.y), down = root * (s.x - Complex(0, 1) * s.y);
  State z{up.real(), up.imag(), down.real(), down.imag(), s.carriers, s.spin};
  const auto system = [&](const State& q, State& d, double t) {
    const Complex p(q[0], q[1]), n(q[2], q[3]), gain(1, m.alpha), split(m.dichroism_rate, m.birefringence_rad_per_s);
    const Complex e = m.injection_rate * injected * std::polar(1.0, 2 * kPi * m.detuning_hz * t * 1e-9);
    const Complex ex = e * std::cos(m.injection_angle_rad), ey = e * std::sin(m.injection_angle_rad);
    const Complex dp = k * gain * (q[4] + q[5] - 1) * p - split * n + root * (ex + Complex(0, 1) * ey);
    const Complex dn = k * gain * (q[4] - q[5] - 1) * n - split * p + root * (ex - Complex(0, 1) * ey);
    const double sum = (q[4] + q[5]) * std::norm(p), difference = (q[4] - q[5]) * std::norm(n);
    d = {dp.real(),
         dp.imag(),
         dn.real(),
         dn.imag(),
         g * (pump - q[4] - sum - difference),
         -m.spin_rate * q[5] - g * (sum - difference)};
    for (double& rate : d) rate *= 1e-9;  // t in ns
  };
  namespace ode = boost::numeric::odeint;
  ode::integrate_adaptive(ode::make_controlled<ode::runge_kutta_dopri5<State>>(1e-12, 1e-12), system, z, 0.0,
                          seconds * 1e9, 1e-4);
  const Complex p(z[0], z[1]), n(z[2], z[3]), turn = std::polar(1.0, -2 * kPi * m.detuning_hz * seconds);
  return {root * (p + n) * turn, Complex(0, -1) * root * (p - n) * turn, z[4], z[5]};
}

double distance(const LaserState& a, const LaserState& b) {
  return std::hypot(std::abs(a.x - b.x), std::abs(a.y - b.y), std::hypot(a.carriers - b.carriers, a.spin - b.spin));
}

LaserModel busy() {
  LaserModel m;
  m.birefringence_rad_per_s = 30e9;
  m.dichroism_rate = 0.3e9;
  m.injection_rate = 20e9;
  m.injection_angle_rad = 0.7;
  m.detuning_hz = 8e9;
  return m;
}

}  // namespace

TEST_CASE("both polarisations follow the circular equations as Odeint solves them, with order 2 in the step") {
  const LaserModel m = busy();
  const LaserState start{{0.8, 0.1}, {0.2, -0.3}, 1.01, 0.003};
  const LaserState exact = by_odeint(m, start, 1.8, 0.9, 0.2e-9);
  const auto error = [&](double step_s) {
    One laser({.step_s = step_s, .two_polarisations = true}, m);
    laser.lasers->set_state(0, start);
    laser.advance(0.2e-9, 1.8, 0.9);
    return distance(laser.state(), exact);
  };
  const double coarse = error(1e-12), fine = error(0.125e-12);
  INFO("errors " << coarse << " at 1 ps, " << fine << " at 1/8 ps");
  CHECK(std::log2(coarse / fine) / 3 == Approx(2.0).margin(0.1));
  CHECK(fine < 1e-4);
}

TEST_CASE("above threshold the solitary intensity is mu - 1 and the carriers are clamped at 1") {
  One laser({});
  for (const double mu : {1.2, 2.0, 3.0}) {
    laser.lasers->reset(0, 1.1);  // so that it has a way to go
    laser.advance(60e-9, mu);
    CHECK(laser.state().intensity() == Approx(mu - 1).epsilon(1e-10));
    CHECK(laser.state().carriers == Approx(1).epsilon(1e-10));
  }
}

TEST_CASE("below threshold the light dies out and the carriers follow the pump") {
  One laser({});
  laser.lasers->reset(0, 1.5);
  laser.advance(60e-9, 0.8);
  CHECK(laser.state().intensity() < 1e-12);
  CHECK(laser.state().carriers == Approx(0.8).epsilon(1e-10));
}

TEST_CASE("gain saturation lifts the carriers and lowers the slope as the rest state says") {
  LaserModel m;
  m.saturation = 0.05;
  One laser({}, m);
  laser.lasers->reset(0, 1.1);
  laser.advance(60e-9, 2);
  CHECK(laser.state().intensity() == Approx(1 / 1.05).epsilon(1e-9));
  CHECK(laser.state().carriers == Approx(1 + 0.05 / 1.05).epsilon(1e-9));
}

TEST_CASE("with light in x only, two polarisations are the single-mode laser to rounding") {
  LaserModel m;
  m.birefringence_rad_per_s = 0;
  m.injection_rate = 30e9;
  m.detuning_hz = -3e9;
  m.feedback_rate = 10e9;
  One single({.delay_steps = 300}, m), both({.delay_steps = 300, .two_polarisations = true}, m);
  for (One* one : {&single, &both}) {
    one->lasers->set_state(0, {{0.7, 0.2}, 0.0, 1.0, 0.0});
    one->advance(2e-9, 1.5, 0.8);
  }
  CHECK(distance(single.state(), both.state()) < 1e-12);
}

TEST_CASE("weak feedback settles on the external-cavity mode of the Lang-Kobayashi theory") {
  for (const double phase : {0.0, 1.0, -2.5}) {
    LaserModel m;
    m.feedback_rate = 0.2e9;  // eta tau sqrt(1 + alpha^2) = 0.63 < 1: one mode only
    m.feedback_phase_rad = phase;
    const double mu = 2, tau = 1e-9, k = 300e9;
    // i w = k (1 + i alpha)(N - 1) + eta exp(i (phase - w tau))
    double w = 0;
    for (int i = 0; i < 200; ++i) {
      const double angle = w * tau - phase;
      w = 0.5 * w - 0.5 * m.feedback_rate * (m.alpha * std::cos(angle) + std::sin(angle));
    }
    const double n = 1 - m.feedback_rate / k * std::cos(w * tau - phase);
    One laser({.delay_steps = 1000}, m);
    laser.lasers->reset(0, mu);
    laser.advance(200e-9, mu);
    const auto first = laser.state().x;
    laser.advance(0.1e-9, mu);
    INFO("feedback phase " << phase);
    CHECK(laser.state().intensity() == Approx((mu - n) / n).epsilon(1e-6));
    CHECK(laser.state().carriers == Approx(n).epsilon(1e-6));
    CHECK(std::arg(laser.state().x / first) / 0.1e-9 == Approx(w).epsilon(1e-4));
  }
}

TEST_CASE("feedback reaches the polarisation its path says, one delay later") {
  LaserModel m;
  m.feedback_rate = 5e9;
  const auto reached = [&](FeedbackPath path) {
    One laser({.delay_steps = 50, .two_polarisations = true, .feedback = path}, m);
    laser.lasers->set_state(0, {{1, 0}, 0.0, 1.0, 0.0});
    laser.advance(49e-12, 2);
    const bool early = laser.state().y != 0.0;
    const double intensity = std::norm(laser.state().x);
    laser.advance(10e-12, 2);
    return std::array{early, std::norm(laser.state().x) > intensity + 0.05, laser.state().y != 0.0};
  };
  CHECK(reached(FeedbackPath::isotropic) == std::array{false, true, false});
  CHECK(reached(FeedbackPath::rotated) == std::array{false, false, true});
  CHECK(reached(FeedbackPath::x_to_y) == std::array{false, false, true});
}

TEST_CASE("the frame is no part of the physics: a laser under feedback does not notice the detuning of absent light") {
  LaserModel still, turning;
  for (LaserModel* m : {&still, &turning}) m->feedback_rate = 15e9, m->feedback_phase_rad = 0.4;
  turning.detuning_hz = 7e9;
  One a({.delay_steps = 200}, still), b({.delay_steps = 200}, turning);
  for (One* one : {&a, &b}) {
    one->lasers->set_state(0, {{1, 0}, 0.0, 1.0, 0.0});
    one->advance(1e-9, 1.5);
  }
  CHECK(a.state().intensity() ==
        Approx(b.state().intensity()).epsilon(2e-3));  // (2 pi 7 GHz 1 ps)^2 / 12 = 1.6e-4 a term
  // and changing it on the way changes nothing: the light under way is turned into the new frame
  b.lasers->set(0, still);
  b.advance(0.1e-9, 1.5);
  a.advance(0.1e-9, 1.5);
  CHECK(a.state().intensity() == Approx(b.state().intensity()).epsilon(4e-3));
}

TEST_CASE("lanes have the bits of a laser alone, noise and all, in both precisions and for both kinds") {
  for (const bool single : {false, true})
    for (const bool two : {false, true}) {
      const LaserGrid grid{.delay_steps = 30, .two_polarisations = two, .single_precision = single};
      const int lanes = vector_lanes(grid);
      const SideBySide noise(3, 0, Purpose::laser_spontaneous);
      std::vector<float> normals(20 * kDeviates * kSide);
      auto many = make_lasers(grid, lanes);
      std::vector<std::unique_ptr<Lasers>> alone;
      std::vector<double> pump(16), injected(16), x(16), y(16);
      for (int lane = 0; lane < lanes; ++lane) {
        LaserModel m = busy();
        m.detuning_hz = lane * 1e9;
        m.feedback_rate = lane * 2e9;
        m.spontaneous = 1e-4;
        m.saturation = lane % 3 ? 0.02 * lane : 0;
        pump[static_cast<std::size_t>(lane)] = 1 + 0.1 * lane;
        injected[static_cast<std::size_t>(lane)] = 0.05 * lane;
        alone.push_back(make_lasers(grid, 1));
        for (Lasers* lasers : {many.get(), alone.back().get()}) {
          const int at = lasers == many.get() ? lane : 0;
          lasers->set(at, m, 20e9);
          lasers->reset(at, 1.5);
        }
      }
      bool equal = true;
      for (std::uint64_t round = 0; round < 50; ++round) {
        noise.members(round * 20, normals);
        many->advance(20, pump.data(), injected.data(), normals.data(), kSide, x.data(), y.data());
        for (std::size_t lane = 0; lane < alone.size(); ++lane) {
          double one_x, one_y;
          alone[lane]->advance(20, &pump[lane], &injected[lane], normals.data() + lane, kSide, &one_x, &one_y);
          equal &= one_x == x[lane] && one_y == y[lane];
        }
      }
      for (std::size_t lane = 0; lane < alone.size(); ++lane)
        equal &= distance(alone[lane]->state(0), many->state(static_cast<int>(lane))) == 0;
      INFO("single precision " << single << ", two polarisations " << two);
      CHECK(equal);
      CHECK(std::isfinite(x[0] + y[1]));
    }
}

TEST_CASE("a lane that breaks down leaves its neighbours alone") {
  const LaserGrid grid{};
  auto healthy = make_lasers(grid, 8), sick = make_lasers(grid, 8);
  std::vector<double> pump(8, 1.5), injected(8, 0.0), x(8), y(8), z(8);
  for (int lane = 0; lane < 8; ++lane)
    for (Lasers* lasers : {healthy.get(), sick.get()}) lasers->reset(lane, 1.5);
  sick->set_state(3, {{std::nan(""), 0}, 0.0, 1.0, 0.0});
  healthy->advance(100, pump.data(), injected.data(), nullptr, 0, x.data(), y.data());
  sick->advance(100, pump.data(), injected.data(), nullptr, 0, z.data(), y.data());
  for (std::size_t lane = 0; lane < 8; ++lane) CHECK((lane == 3 ? std::isnan(z[lane]) : z[lane] == x[lane]));
}

TEST_CASE("saving and loading continues with the same bits, and another grid is refused") {
  LaserModel m = busy();
  m.feedback_rate = 20e9;
  const LaserGrid grid{.delay_steps = 37, .two_polarisations = true};
  One laser(grid, m), other(grid, m);
  laser.lasers->reset(0, 1.5);
  laser.advance(1.234e-9, 1.5, 0.7);
  ByteWriter bytes;
  laser.lasers->save(bytes);
  const auto state = bytes.take();
  ByteReader reader(state, "laser");
  other.lasers->load(reader);
  reader.done();
  for (One* one : {&laser, &other}) one->advance(0.777e-9, 1.4, 0.6);
  CHECK(distance(laser.state(), other.state()) == 0);
  for (const LaserGrid& wrong : {LaserGrid{.delay_steps = 38, .two_polarisations = true}, LaserGrid{.delay_steps = 37},
                                 LaserGrid{.delay_steps = 37, .two_polarisations = true, .single_precision = true}}) {
    ByteReader again(state, "laser");
    CHECK_THROWS_AS(make_lasers(wrong, 1)->load(again), InvalidParameter);
  }
}

TEST_CASE("a step that does not resolve a rotation is refused with the term and the longest step") {
  const auto message = [](const LaserModel& m, const LaserGrid& grid, double pump) -> std::string {
    try {
      check_step(m, grid, pump, "laser");
    } catch (const OutOfRange& e) {
      return e.what();
    }
    return "";
  };
  LaserModel m;
  m.detuning_hz = 20e9;
  CHECK(message(m, {.step_s = 3.9e-12}, 2).empty());
  CHECK(message(m, {.step_s = 4.1e-12}, 2).find("detuning") != std::string::npos);
  CHECK(message(m, {.step_s = 4.1e-12}, 2).find("at most 3.97887 ps") != std::string::npos);
  m = {};
  m.birefringence_rad_per_s = 200e9;
  CHECK(message(m, {.step_s = 3e-12}, 2).empty());  // one polarisation has none
  CHECK(message(m, {.step_s = 3e-12, .two_polarisations = true}, 2).find("birefringence") != std::string::npos);
  CHECK(message({}, {.step_s = 20e-12}, 2).find("relaxation oscillation") != std::string::npos);
}

}  // namespace lightloop
