#pragma once
// Kernel and generalisation rank: how many different inputs a reservoir tells apart, and how many it should not.
#include "training/metrics/metric.hpp"

namespace lightloop {

/// Singular values of `states` (m, N) above `threshold` times the largest, not centred (Legenstein and Maass, Neural
/// Networks 20, 323 (2007); Buesing et al., Neural Comput. 22, 1272 (2010)). The rows are the last states of m streams:
///   kernel rank          m streams that differ everywhere
///   generalisation rank  m streams that differ only before their last common part (or by noise)
/// The threshold acts on singular values of the states, not on those of the Gram matrix (their squares).
/// Detail: "singular", all of them.
Metric kernel_rank(View<const double> states, double threshold = 1e-3);
/// The same number under its other name.
Metric generalisation_rank(View<const double> states, double threshold = 1e-3);

}  // namespace lightloop
