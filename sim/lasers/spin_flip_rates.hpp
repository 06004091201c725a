#pragma once
// From parameters to what a step needs, and what a change of them does to the state. Private to spin_flip.
#include <cmath>
#include <complex>
#include <numbers>

#include "sim/detection/receiver.hpp"
#include "sim/lasers/spin_flip_lanes.hpp"

namespace lightloop::spin_flip {

template <class V>
void LaserLanes<V>::set(int lane, const LaserModel& m, double bandwidth_hz) {
  LIGHTLOOP_ASSERT(lane >= 0 && lane < kLanes);
  using Complex = std::complex<double>;
  const double h = grid_.step_s, k = 0.5 / m.photon_lifetime_s, g = 1 / m.carrier_lifetime_s;
  const bool two = grid_.two_polarisations;
  LaserModel& before = models_[static_cast<std::size_t>(lane)];
  if (before.detuning_hz != m.detuning_hz) turn_past(lane, m.detuning_hz - before.detuning_hz);
  const auto store = [&](V& to, double value) { at(to, lane) = static_cast<Scalar>(value); };
  store(rates_.k, k * h);
  store(rates_.k_alpha, k * m.alpha * h);
  store(rates_.g, g * h);
  store(rates_.saturation, m.saturation);
  store(rates_.dichroism, m.dichroism_rate * h);
  store(rates_.noise, m.spontaneous * g * h * (two ? 0.25 : 0.5));

  // Exact rotation by the angle a = -(detuning +- birefringence) h; a constant c gives c h (e^{ia} - 1) / (ia).
  const double detuning = 2 * std::numbers::pi * m.detuning_hz * h;
  const double split = two ? m.birefringence_rad_per_s * h : 0;
  const auto integral = [](double a) {
    if (std::abs(a) < 1e-4) return Complex(1 - a * a / 6, a / 2);
    return (std::polar(1.0, a) - 1.0) / Complex(0, a);
  };
  const double ax = -detuning - split, ay = -detuning + split, kick = m.injection_rate * h;
  put(rates_.whole_x, lane, std::polar(1.0, ax));
  put(rates_.whole_y, lane, std::polar(1.0, ay));
  put(rates_.half_x, lane, std::polar(1.0, ax / 2));
  put(rates_.half_y, lane, std::polar(1.0, ay / 2));
  put(rates_.injected_x, lane, kick * (two ? std::cos(m.injection_angle_rad) : 1.0) * integral(ax));
  put(rates_.injected_y, lane, kick * std::sin(m.injection_angle_rad) * integral(ay));

  // e^{i phi} E(t - tau), and the turn of the frame in the meantime (whole turns taken off before rounding).
  const double turns = std::fmod(m.detuning_hz * h * static_cast<double>(grid_.delay_steps), 1.0);
  const Complex back = std::polar(m.feedback_rate * h, m.feedback_phase_rad - 2 * std::numbers::pi * turns);
  put(rates_.feedback_x, lane, grid_.feedback == FeedbackPath::x_to_y ? 0 : back);
  put(rates_.feedback_y, lane, back);

  const double z = m.spin_rate * h;
  const double phi1 = z > 1e-3 ? -std::expm1(-z) / z : 1 - z / 2 + z * z / 6;
  const double phi2 = z > 1e-3 ? (std::expm1(-z) + z) / (z * z) : 0.5 - z / 6 + z * z / 24;
  store(rates_.spin_keep, std::exp(-z));
  store(rates_.spin_predict, phi1);
  store(rates_.spin_first, phi1 - phi2);
  store(rates_.spin_second, phi2);

  const double keep = low_pass_keep(bandwidth_hz, h);
  store(rates_.filter_keep, keep);
  store(rates_.filter_take, 1 - keep);
  before = m;
  bandwidth_[static_cast<std::size_t>(lane)] = bandwidth_hz;
}

/// Another detuning means another frame from now on: light of age a must look as if it had always been in it.
template <class V>
void LaserLanes<V>::turn_past(int lane, double change_hz) {
  const auto turn = [&](V* value, double age) {
    const double turns = std::fmod(change_hz * grid_.step_s * age, 1.0);
    for (std::size_t c = 0; c < parts_; c += 2) {
      Scalar &re = at(value[c], lane), &im = at(value[c + 1], lane);
      const auto z = std::complex<double>(re, im) * std::polar(1.0, 2 * std::numbers::pi * turns);
      re = static_cast<Scalar>(z.real());
      im = static_cast<Scalar>(z.imag());
    }
  };
  const auto slots = static_cast<std::size_t>(grid_.delay_steps);
  for (std::size_t age = 0; age < slots; ++age)
    turn(&past_[((slot_ + slots - age) % slots) * parts_], static_cast<double>(age));
  turn(oldest_, static_cast<double>(slots));
}

}  // namespace lightloop::spin_flip
