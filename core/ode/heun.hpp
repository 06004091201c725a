#pragma once
// Heun's method for ordinary and stochastic differential equations, in the stepper concept of Boost.Odeint, so that its
// integrate functions and observers work. (Odeint itself has no stepper for noise beyond an Euler example. This is the
// one kind of core header that names Boost: the concept is Odeint's.)
#include <boost/numeric/odeint/stepper/stepper_categories.hpp>
#include <cstddef>

namespace lightloop {

/// A drift and a noise, for equations dx = f(x, t) dt + g(x) o dW (Stratonovich).
///
/// drift(x, dxdt, t) sets f; noise(x, increment, t) sets g(x) dW for the step that starts at t, with the same dW
/// however often it is asked.
template <class Drift, class Noise>
struct StochasticSystem {
  Drift drift;
  Noise noise;
};
template <class Drift, class Noise>
StochasticSystem(Drift, Noise) -> StochasticSystem<Drift, Noise>;

/// One step: x* = x + f(x, t) h + g(x) dW;  x' = x + h/2 (f(x, t) + f(x*, t+h)) + (g(x) + g(x*)) dW / 2.
///
/// Order 2 without noise. With noise of strong order 1/2 in general, 1 for commutative noise and additive noise,
/// towards the Stratonovich solution. Both stages lie on the time grid, so a delay that is a whole number of steps
/// needs no interpolation and keeps order 2. On x' = i w x it adds a spurious growth of w^4 h^3 / 8 per unit time.
/// State: a std::array, or anything of fixed size with operator[]. Allocates nothing.
/// Source: Kloeden and Platen, Numerical Solution of SDEs, section 15.1; Rumelin, SIAM J. Numer. Anal. 19, 604 (1982).
template <class State>
class Heun {
 public:
  using state_type = State;
  using deriv_type = State;
  using value_type = double;
  using time_type = double;
  using order_type = unsigned short;
  using stepper_category = boost::numeric::odeint::stepper_tag;
  static constexpr order_type order() { return 2; }

  /// Ordinary equation: system(x, dxdt, t).
  template <class System>
  void do_step(System&& system, State& x, double t, double h) const {
    State first, second, predicted = x;
    system(x, first, t);
    for (std::size_t i = 0; i < x.size(); ++i) predicted[i] = x[i] + h * first[i];
    system(predicted, second, t + h);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += 0.5 * h * (first[i] + second[i]);
  }

  template <class Drift, class Noise>
  void do_step(const StochasticSystem<Drift, Noise>& system, State& x, double t, double h) const {
    State first, second, noise_first, noise_second, predicted = x;
    system.drift(x, first, t);
    system.noise(x, noise_first, t);
    for (std::size_t i = 0; i < x.size(); ++i) predicted[i] = x[i] + h * first[i] + noise_first[i];
    system.drift(predicted, second, t + h);
    system.noise(predicted, noise_second, t);
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] += 0.5 * (h * (first[i] + second[i]) + noise_first[i] + noise_second[i]);
  }
};

}  // namespace lightloop
