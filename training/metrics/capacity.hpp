#pragma once
// How much of its input's past a reservoir can give back: memory capacity and information-processing capacity.
#include "training/metrics/metric.hpp"

namespace lightloop {

struct MemorySettings {
  Index first_delay = 1;        ///< 0 counts the present input too
  Index last_delay = 0;         ///< 0: twice the nodes, at most a quarter of the times
  double train_fraction = 0.5;  ///< of the times, from the start; the rest is scored
  double ridge = 1e-9;          ///< relative to the largest eigenvalue of the covariance of the states
};

/// Memory capacity (Jaeger, GMD report 152, 2001): MC = sum_k r^2(u(t-k), y_k(t)), y_k the ridge read-out trained on
/// the first part and scored on the rest. r^2 is adjusted for chance, 1 - (1 - r^2)(T - 1)/(T - 2) with T scored times,
/// so that a delay that is not remembered adds 0 in the mean and a perfect one adds 1. Negative terms stay in the sum.
///
/// `input` (T) drives the `states` (T, N) of the same rows, washout already taken off. Meant for input that is
/// independent from step to step. Bound: MC <= N. Detail: "profile", one value per delay.
Metric memory_capacity(View<const double> states, std::span<const double> input, const MemorySettings& settings = {});

struct CapacitySettings {
  /// delays[d - 1]: products of total degree d take inputs from t to t - delays[d - 1] + 1.
  std::vector<Index> delays = {100, 50, 15, 8, 6};
  double significance = 1e-4;  ///< p of the threshold
  double tolerance = 1e-8;     ///< of the rank, see the result's "rank"
};

/// Thresholded information-processing capacity (Dambre et al., Sci. Rep. 2, 514 (2012)) for u ~ U(-1, 1).
///
/// Targets z = prod_i P_d_i(u(t - tau_i)) of orthonormal Legendre polynomials; C[z] = z' X X^+ z / z'z with centred X
/// and z. Under "X knows nothing of z", T C follows chi^2(rank), so C counts only above chi2inv(1 - p, rank) / T. The
/// total cannot exceed rank(X) and reaches it for a noise-free reservoir with fading memory, given enough targets.
///
/// value: the thresholded total. Detail: "degree" (total of each degree), "delay" (of each largest delay in a target),
/// "rank", "threshold", "unthresholded", "bias" (targets * rank / T, what chance alone adds to the unthresholded sum),
/// "targets", "kept". Throws OutOfRange for input outside [-1, 1] or series too short for the delays.
Metric information_processing_capacity(View<const double> states, std::span<const double> input,
                                       const CapacitySettings& settings = {});

}  // namespace lightloop
