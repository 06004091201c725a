#pragma once
// The classical Runge-Kutta method for equations with one constant delay, in the stepper concept of Boost.Odeint. The
// stepper owns the past: Odeint has no notion of one.
#include <boost/numeric/odeint/stepper/stepper_categories.hpp>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/error.hpp"

namespace lightloop {

/// Order 4 for x'(t) = f(x(t), x(t - delay), t): system(x, delayed, dxdt, t).
///
/// The delayed value between grid points is the cubic Hermite interpolant of stored values and slopes; with a linear
/// one the order would fall to 2, with a value frozen over the step to 1. The delay is any number >= one step. The
/// order is kept where the slope of the past jumps at the start (as it nearly always does), provided that point and its
/// echoes lie on the grid: make the delay a whole number of steps.
///
/// integrate_const and integrate_n_steps copy their stepper; pass std::ref(stepper) to go on from its past. Steps of
/// another length than the one given throw InvalidParameter. Allocates in the constructor only.
/// State: a std::array of double. Source: Bellen and Zennaro, Numerical Methods for Delay Differential Equations, 2003.
template <class State>
class DelayRungeKutta4 {
 public:
  using state_type = State;
  using deriv_type = State;
  using value_type = double;
  using time_type = double;
  using order_type = unsigned short;
  using stepper_category = boost::numeric::odeint::stepper_tag;
  static constexpr order_type order() { return 4; }

  /// A past that stood still at `past`.
  DelayRungeKutta4(double delay, double step, const State& past)
      : DelayRungeKutta4(delay, step, [&](double, State& x, State& slope) {
          x = past;
          slope = {};
        }) {}

  /// past(t, x, slope) tells value and slope at the times t <= 0 before the start.
  template <class Past>
  requires std::is_invocable_v<Past, double, State&, State&> DelayRungeKutta4(double delay, double step, Past past)
      : step_(step) {
    if (!(step > 0) || !(delay >= step))
      throw InvalidParameter("delay of a delay equation", std::to_string(delay),
                             "at least one step of " + std::to_string(step), "Take a smaller step.");
    const double steps = delay / step;
    const Index whole = std::llround(steps);
    const bool on_grid = std::abs(steps - static_cast<double>(whole)) < 1e-9 * steps;
    length_ = static_cast<std::size_t>(on_grid ? whole : static_cast<Index>(std::ceil(steps)));
    offset_ = on_grid ? 0 : static_cast<double>(length_) - steps;
    nodes_.resize(length_ + 1);
    for (std::size_t i = 0; i <= length_; ++i)
      past(-step * static_cast<double>(length_ - i), nodes_[i].x, nodes_[i].slope);
    slope_before_ = nodes_[length_].slope;
    newest_ = length_;
  }

  template <class System>
  void do_step(System&& system, State& x, double t, double h) {
    if (h != step_) refuse(h);
    const std::size_t n = x.size();
    State k1, k2, k3, k4, at, delayed;
    Node& now = nodes_[newest_];
    const std::size_t oldest = newest_ == length_ ? 0 : newest_ + 1;
    const Node& a = nodes_[oldest];
    const Node& b = nodes_[oldest == length_ ? 0 : oldest + 1];
    now.x = x;
    if (offset_ == 0) {
      system(x, a.x, k1, t);
      now.slope = k1;
      const State& end = right_slope(b, 0);
      for (std::size_t i = 0; i < n; ++i) {
        delayed[i] = 0.5 * (a.x[i] + b.x[i]) + 0.125 * h * (a.slope[i] - end[i]);
        at[i] = x[i] + 0.5 * h * k1[i];
      }
      system(at, delayed, k2, t + 0.5 * h);
      for (std::size_t i = 0; i < n; ++i) at[i] = x[i] + 0.5 * h * k2[i];
      system(at, delayed, k3, t + 0.5 * h);
      for (std::size_t i = 0; i < n; ++i) at[i] = x[i] + h * k3[i];
      system(at, b.x, k4, t + h);
    } else {
      system(x, between(oldest, offset_), k1, t);
      now.slope = k1;
      for (std::size_t i = 0; i < n; ++i) at[i] = x[i] + 0.5 * h * k1[i];
      delayed = between(oldest, offset_ + 0.5);
      system(at, delayed, k2, t + 0.5 * h);
      for (std::size_t i = 0; i < n; ++i) at[i] = x[i] + 0.5 * h * k2[i];
      system(at, delayed, k3, t + 0.5 * h);
      for (std::size_t i = 0; i < n; ++i) at[i] = x[i] + h * k3[i];
      system(at, between(oldest, offset_ + 1), k4, t + h);
    }
    for (std::size_t i = 0; i < n; ++i) x[i] += h / 6 * (k1[i] + 2 * (k2[i] + k3[i]) + k4[i]);
    if (taken_ <= length_) ++taken_;
    newest_ = oldest;
    nodes_[newest_].x = x;
  }

  /// Calls change(x, slope) for every stored point of the past, the present included: what renormalising a tangent
  /// vector needs, since its length is that of the whole segment. Change the caller's present state alike.
  template <class Change>
  void transform(Change change) {
    for (Node& node : nodes_) change(node.x, node.slope);
    if (taken_ > length_) return;
    State start = nodes_[newest_].x;  // only its slope from the left is still in use
    change(start, slope_before_);
  }

 private:
  struct Node {
    State x{}, slope{};  // the slope to the right, where it jumps
  };

  /// The slope at the right end of an interval whose right end is `node`, `ahead` nodes after the second oldest.
  const State& right_slope(const Node& node, std::size_t ahead) const {
    return taken_ + 1 + ahead == length_ ? slope_before_ : node.slope;
  }

  /// Value at `position` steps (0 to 2) after the oldest node.
  State between(std::size_t oldest, double position) const {
    const std::size_t skip = position < 1 ? 0 : 1, size = length_ + 1;
    const double s = position - static_cast<double>(skip), r = 1 - s;
    const Node& a = nodes_[(oldest + skip) % size];
    const Node& b = nodes_[(oldest + skip + 1) % size];
    const State& end = right_slope(b, skip);
    State x;
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] =
          r * r * (1 + 2 * s) * a.x[i] + s * s * (3 - 2 * s) * b.x[i] + step_ * s * r * (r * a.slope[i] - s * end[i]);
    return x;
  }

  [[noreturn]] void refuse(double h) const {
    throw InvalidParameter("step of a delay equation", std::to_string(h),
                           "the " + std::to_string(step_) + " it was made for", "Make another stepper.");
  }

  double step_, offset_ = 0;
  std::size_t length_ = 0;  // intervals kept
  std::size_t newest_ = 0;  // the node of the present
  std::size_t taken_ = 0;   // steps, until the start has left the past
  std::vector<Node> nodes_;
  State slope_before_{};  // at the start, from the left
};

}  // namespace lightloop
