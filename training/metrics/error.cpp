#include "training/metrics/error.hpp"

#include <algorithm>
#include <cmath>

namespace lightloop {
namespace {

void same_shape(const char* who, View<const double> a, View<const double> b) {
  check_states(who, a);
  check_states(who, b);
  if (a.rows() != b.rows() || a.cols() != b.cols())
    throw ShapeMismatch(std::string(who) + ": prediction",
                        "(" + std::to_string(b.rows()) + ", " + std::to_string(b.cols()) + ")",
                        "(" + std::to_string(a.rows()) + ", " + std::to_string(a.cols()) + ") of the target wanted");
}

double mean_square_ratio(const char* who, View<const double> y, View<const double> p) {
  same_shape(who, y, p);
  double error = 0, variance = 0;
  for (Index c = 0; c < y.cols(); ++c) {
    double mean = 0;
    for (Index t = 0; t < y.rows(); ++t) mean += y(t, c);
    mean /= static_cast<double>(y.rows());
    for (Index t = 0; t < y.rows(); ++t) {
      error += (y(t, c) - p(t, c)) * (y(t, c) - p(t, c));
      variance += (y(t, c) - mean) * (y(t, c) - mean);
    }
  }
  if (!(variance > 0)) throw InvalidParameter(std::string(who) + ": target", "constant", "a target that varies");
  return error / variance;
}

Index decide(std::span<const double> row, std::span<const double> alphabet) {
  if (alphabet.empty()) return std::ranges::max_element(row) - row.begin();
  return std::ranges::min_element(alphabet, {}, [&](double a) { return std::abs(a - row[0]); }) - alphabet.begin();
}

}  // namespace

Metric nmse(View<const double> target, View<const double> prediction) {
  return {"nmse", mean_square_ratio("nmse", target, prediction),
          "NMSE = <(y - p)^2> / var(y), variance of the scored segment"};
}

Metric nrmse(View<const double> target, View<const double> prediction) {
  return {"nrmse", std::sqrt(mean_square_ratio("nrmse", target, prediction)),
          "NRMSE = sqrt(<(y - p)^2> / var(y)), divided by the standard deviation of the scored segment"};
}

Metric symbol_error_rate(View<const double> target, View<const double> prediction, std::span<const double> alphabet) {
  same_shape("symbol_error_rate", target, prediction);
  if (alphabet.empty() == (target.cols() == 1))
    throw InvalidParameter("symbol_error_rate: alphabet", std::to_string(alphabet.size()) + " symbols",
                           target.cols() == 1 ? "one output needs one" : "several outputs need none");
  double wrong = 0;
  for (Index t = 0; t < target.rows(); ++t)
    wrong += decide(target.row(t), alphabet) != decide(prediction.row(t), alphabet);
  const double n = static_cast<double>(target.rows());
  return {"symbol_error_rate",
          wrong / n,
          alphabet.empty() ? "fraction of wrong decisions, the largest output decides"
                           : "fraction of wrong decisions, the nearest symbol decides",
          {{"wrong", {wrong}}, {"decisions", {n}}}};
}

}  // namespace lightloop
