#pragma once
// Heun's method with an exact linear part, in the stepper concept of Boost.Odeint: fast rotations (detuning,
// birefringence, mode offsets) then cost neither accuracy nor stability.
#include <boost/numeric/odeint/stepper/stepper_categories.hpp>
#include <cmath>
#include <complex>
#include <cstddef>

#include "core/ode/heun.hpp"

namespace lightloop {

/// One step of dx_j = (l_j x_j + f_j(x, t)) dt + g_j(x) o dW with e_j = exp(l_j h):
///   x* = e (x + f(x, t) h) + e^{1/2} g(x) dW
///   x' = e x + h/2 (e f(x, t) + f(x*, t + h)) + e^{1/2} (g(x) + g(x*)) dW / 2
/// Heun in the frame that moves with the linear part (an integrating factor); the noise sits at the middle of the step.
///
/// State: a std::array of std::complex<double>. The orders are those of Heun; x' = l x is exact. Terms that follow x
/// (gain) are as accurate as without rotation; terms that stand still in the frame of x are off by (|l| h)^2 / 12 of
/// themselves, so keep |l| h below about 1/2. Allocates nothing.
/// Source: Lawson, SIAM J. Numer. Anal. 4, 372 (1967).
template <class State>
class RotatingHeun {
 public:
  using state_type = State;
  using deriv_type = State;
  using value_type = double;
  using time_type = double;
  using order_type = unsigned short;
  using stepper_category = boost::numeric::odeint::stepper_tag;
  static constexpr order_type order() { return 2; }

  /// `rates` are the l_j in 1 / time.
  explicit RotatingHeun(const State& rates) : rates_(rates) {}

  /// Ordinary equation: system(x, dxdt, t) sets f alone.
  template <class System>
  void do_step(System&& system, State& x, double t, double h) {
    prepare(h);
    State first, second, predicted = x;
    system(x, first, t);
    for (std::size_t i = 0; i < x.size(); ++i) predicted[i] = whole_[i] * (x[i] + h * first[i]);
    system(predicted, second, t + h);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = whole_[i] * (x[i] + 0.5 * h * first[i]) + 0.5 * h * second[i];
  }

  template <class Drift, class Noise>
  void do_step(const StochasticSystem<Drift, Noise>& system, State& x, double t, double h) {
    prepare(h);
    State first, second, noise_first, noise_second, predicted = x;
    system.drift(x, first, t);
    system.noise(x, noise_first, t);
    for (std::size_t i = 0; i < x.size(); ++i)
      predicted[i] = whole_[i] * (x[i] + h * first[i]) + half_[i] * noise_first[i];
    system.drift(predicted, second, t + h);
    system.noise(predicted, noise_second, t);
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = whole_[i] * (x[i] + 0.5 * h * first[i]) + 0.5 * h * second[i] +
             half_[i] * (0.5 * (noise_first[i] + noise_second[i]));
  }

 private:
  void prepare(double h) {
    if (h == step_) return;
    for (std::size_t i = 0; i < rates_.size(); ++i) {
      half_[i] = std::exp(rates_[i] * (0.5 * h));
      whole_[i] = half_[i] * half_[i];
    }
    step_ = h;
  }

  State rates_, half_{}, whole_{};
  double step_ = 0;  // of the factors
};

}  // namespace lightloop
