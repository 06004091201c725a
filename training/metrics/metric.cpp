#include "training/metrics/metric.hpp"

#include <cmath>
#include <cstdio>

namespace lightloop {

std::string shown(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

void check_states(const char* who, View<const double> states) {
  if (states.rows() < 2 || states.cols() < 1)
    throw ShapeMismatch(std::string(who) + ": states",
                        "(" + std::to_string(states.rows()) + ", " + std::to_string(states.cols()) + ")",
                        "(time, nodes) with at least 2 times and 1 node wanted");
  for (Index t = 0; t < states.rows(); ++t)
    for (const double x : states.row(t))
      if (!std::isfinite(x))
        throw InvalidParameter(std::string(who) + ": states at time " + std::to_string(t), std::to_string(x),
                               "finite numbers");
}

void check_repeats(const char* who, Repeats repeats, std::size_t least) {
  if (repeats.size() < least)
    throw ShapeMismatch(std::string(who) + ": repeats", std::to_string(repeats.size()),
                        "at least " + std::to_string(least), "Show the same input several times.");
  for (const View<const double>& one : repeats) {
    check_states(who, one);
    if (one.rows() != repeats[0].rows() || one.cols() != repeats[0].cols())
      throw ShapeMismatch(std::string(who) + ": repeats", "different shapes", "one (time, nodes) for all");
  }
}

}  // namespace lightloop
