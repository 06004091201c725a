#pragma once
// How well a free-running model has learnt a chaotic system: how long it follows it, and whether it lives on the same
// attractor. After Hess et al., Generalized Teacher Forcing for Learning Chaotic Dynamics, ICML (2023), and the works
// it takes its measures from.
#include "training/metrics/metric.hpp"

namespace lightloop {

/// Time until |truth - prediction| first exceeds `threshold` times sqrt(<|truth - mean|^2>), in Lyapunov times where
/// `exponent` > 0, else in units of `step`. Rows (T, D) begin together. Detail: "rows".
Metric valid_prediction_time(View<const double> truth, View<const double> prediction, double step, double exponent,
                             double threshold = 0.4);

/// Kullback-Leibler divergence of the visited states, sum_b p_b log(p_b / q_b) in nats: p of the truth, q of the
/// generated series, over a grid of `bins` per dimension that spans the truth widened by a tenth on either side (Koppe
/// et al., PLoS Comput. Biol. 15, e1007263 (2019)); what leaves the grid counts in the bin next to it. Both histograms
/// have 1e-6 added to every bin that either visits. Up to 3 dimensions; further columns are left out (said in the
/// convention).
Metric state_space_divergence(View<const double> truth, View<const double> generated, Index bins = 30);

/// Hellinger distance of power spectra, mean over dimensions: sqrt(1 - sum sqrt(f g)), f and g smoothed by a Gaussian
/// of `smoothing` bins and normalised to sum 1, without the zero frequency (Mikhaeil, Monfared and Durstewitz, NeurIPS
/// (2022)). 0 for equal, 1 for disjoint spectra. The longer series is cut to the shorter. Unsupported in a build
/// without FFTW.
Metric power_spectrum_distance(View<const double> truth, View<const double> generated, double smoothing = 20);

}  // namespace lightloop
