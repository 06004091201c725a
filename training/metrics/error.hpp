#pragma once
// Errors of predictions. "NRMSE" divides by the standard deviation of the target, never by its variance or range.
#include "training/metrics/metric.hpp"

namespace lightloop {

/// <(y - p)^2> / var(y), means over time and outputs; var with 1/T about the mean of this very segment. NaN-free:
/// throws InvalidParameter where the target is constant. Shapes (T, M), equal (ShapeMismatch).
Metric nmse(View<const double> target, View<const double> prediction);
/// sqrt(nmse).
Metric nrmse(View<const double> target, View<const double> prediction);
/// Fraction of decisions that differ from the target: one output: the prediction is replaced by the nearest value of
/// `alphabet`; several outputs: the largest decides (`alphabet` empty).
Metric symbol_error_rate(View<const double> target, View<const double> prediction, std::span<const double> alphabet);

}  // namespace lightloop
