#pragma once
// Lyapunov exponents: of a model one can start anywhere, of a driven machine one can only watch, of a recorded series.
#include <functional>

#include "training/metrics/metric.hpp"

namespace lightloop {

/// Advances a whole state (for a delay equation: the present and its past) by one step; `step` counts from 0, so that a
/// driven system can look its input up.
using Flow = std::function<void(std::span<double> state, Index step)>;

struct LyapunovSettings {
  double step = 1;         ///< time one call of the flow takes
  Index transient = 1000;  ///< steps before the measurement
  Index steps = 10000;     ///< of the measurement
  Index every = 10;        ///< steps between two renormalisations
  double distance = 1e-8;  ///< of the second copy, relative to the norm of the state
};

/// Largest Lyapunov exponent by two copies (Benettin et al., Phys. Rev. A 14, 2338 (1976)): the second is brought back
/// to `distance` along the present difference every few steps, the whole state alike; lambda = mean log growth / time.
/// With a driven flow both copies get the same drive and the answer is the conditional exponent. The first difference
/// is the same number in every component. Detail: "error", standard error of the mean from 20 blocks. Throws
/// InvalidParameter when the state is not finite any more.
Metric largest_lyapunov(const Flow& flow, std::vector<double> state, const LyapunovSettings& settings = {});

/// Conditional exponent of a machine from its answers only: two responses (T, N) to one drive from different initial
/// states approach each other as exp(lambda t). The slope of the log distance, between its start and the point where
/// it comes within `floor` times its start, or begins to stay (noise, converter steps). `step`: time between two rows.
/// Detail: "used", rows in the fit. Throws InvalidParameter where the responses are equal from the start or never move
/// together enough for a fit (fewer than 4 rows).
Metric conditional_lyapunov(View<const double> first, View<const double> second, double step = 1, double floor = 1e-3);

/// Largest exponent of a recorded series (T, D) after Rosenstein et al., Physica D 65, 117 (1993): mean log distance of
/// nearest neighbours as they part, slope over `fit` steps. Neighbours closer than `theiler` steps in time do not
/// count. A coarse number (10 to 20 %): compare it with that of the true series, made alike. Cost T^2 D.
Metric series_lyapunov(View<const double> series, double step, Index theiler, Index fit);

}  // namespace lightloop
