#pragma once
// The Euler-Maruyama method, in the stepper concept of Boost.Odeint.
#include <boost/numeric/odeint/stepper/stepper_categories.hpp>
#include <cstddef>

#include "core/ode/heun.hpp"

namespace lightloop {

/// One step towards the Ito solution of dx = f(x, t) dt + g(x) dW:  x' = x + f(x, t) h + g(x) dW.
///
/// Weak order 1; strong order 1/2, or 1 for additive noise. On x' = i w x it adds a spurious growth of w^2 h / 2 per
/// unit time: at 1 ps that is 30 % of the damping of a 4 GHz relaxation oscillation, so prefer Heun for lasers.
/// State: a std::array, or anything of fixed size with operator[]. Allocates nothing.
/// Source: Kloeden and Platen, Numerical Solution of SDEs, section 9.1.
template <class State>
class EulerMaruyama {
 public:
  using state_type = State;
  using deriv_type = State;
  using value_type = double;
  using time_type = double;
  using order_type = unsigned short;
  using stepper_category = boost::numeric::odeint::stepper_tag;
  static constexpr order_type order() { return 1; }

  /// Ordinary equation: system(x, dxdt, t).
  template <class System>
  void do_step(System&& system, State& x, double t, double h) const {
    State slope;
    system(x, slope, t);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += h * slope[i];
  }

  template <class Drift, class Noise>
  void do_step(const StochasticSystem<Drift, Noise>& system, State& x, double t, double h) const {
    State slope, increment;
    system.drift(x, slope, t);
    system.noise(x, increment, t);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += h * slope[i] + increment[i];
  }
};

}  // namespace lightloop
