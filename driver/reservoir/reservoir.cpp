#include "driver/reservoir/reservoir.hpp"

#include <string>

#include "core/error.hpp"

namespace lightloop {

void check_run(const Reservoir& reservoir, View<const double> u, View<float> states) {
  const auto shape = [](Index rows, Index cols) {
    return "(" + std::to_string(rows) + ", " + std::to_string(cols) + ")";
  };
  if (u.cols() != reservoir.inputs())
    throw ShapeMismatch("inputs of the reservoir", shape(u.rows(), u.cols()),
                        "(time, " + std::to_string(reservoir.inputs()) + ") wanted");
  if (states.rows() != u.rows() || states.cols() != reservoir.nodes())
    throw ShapeMismatch("states of the reservoir", shape(states.rows(), states.cols()),
                        shape(u.rows(), reservoir.nodes()) + " wanted");
}

Matrix<double> collect(Reservoir& reservoir, View<const double> u, Index washout) {
  if (washout < 0 || washout >= u.rows())
    throw OutOfRange("washout", std::to_string(washout), "0 to " + std::to_string(u.rows() - 1),
                     "Give more inputs than the washout takes.");
  Matrix<float> states(u.rows(), reservoir.nodes());
  reservoir.reset();
  reservoir.run(u, states);
  Matrix<double> kept(u.rows() - washout, states.cols());
  for (Index t = 0; t < kept.rows(); ++t)
    for (Index i = 0; i < kept.cols(); ++i) kept(t, i) = static_cast<double>(states(t + washout, i));
  return kept;
}

}  // namespace lightloop
