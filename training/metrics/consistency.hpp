#pragma once
// Whether a noisy reservoir answers alike each time, and how many of its dimensions are signal.
#include <cstdint>

#include "training/metrics/metric.hpp"

namespace lightloop {

/// Consistency correlation (Uchida, McAllister and Roy, Phys. Rev. Lett. 93, 244102 (2004)): the correlation of the
/// responses of two presentations of one drive, mean over pairs and nodes:
///   C = 2 / (R (R - 1)) sum_{i<j} <(y_i - m_i)(y_j - m_j)> / (s_i s_j)
/// Nodes that stand still in some repeat have no correlation and are left out; "still" counts them. Detail: "nodes".
/// It is nearly blind to noise that already spoils a computation: see consistency_capacity().
Metric consistency(Repeats repeats);

/// Consistency capacity Theta (Juengling, Lymburn and Small, arXiv:2105.13473): the trace of the cross-covariance of
/// two replicas after whitening with their mean covariance, 0 <= Theta <= N:
///   T = (C + lambda I)^(-1/2),  C = mean of the R covariances,  Theta = tr sym(T Cxy T), Cxy the mean over pairs
/// Each replica has its own mean taken off. `noise_variance` is lambda: the variance of measurement noise to imagine
/// added to every node (0: none). Directions of C below 1e-12 of the largest are left out.
/// Detail: "spectrum", gamma^2 of every direction, largest first.
Metric consistency_capacity(Repeats repeats, double noise_variance = 0);

/// Dimensions of the response that noise does not explain. M = mean over R repeats, D_r = X_r - M; v_i the eigenvectors
/// of cov(M): signal s_i = v_i' cov(M) v_i, noise of the mean n_i = sum_r var(v_i' D_r) / (R (R - 1));
///   dim = #{i : s_i > ratio n_i}.
/// With ratio 2 the mean has at least as much signal as noise left after n_i is taken off. Directions below 1e-12 of
/// the largest are rounding and never count. After the notion of Skalli et al., Opt. Mater. Express 12, 2793 (2022).
/// Detail: "signal", "noise" of every direction; "pca99", the directions that hold 99 % of the variance of one repeat.
Metric dimensionality(Repeats repeats, double ratio = 2);

/// Separability of classes under noise. `states` are R repeats of (samples, N), `labels` the class of each sample:
///   d = sqrt(mean_{a<b} |m_a - m_b|^2 / (2 s^2)),  s^2 = pooled variance within classes, summed over nodes.
/// Detail: "accuracy", of a linear ridge read-out learnt on all repeats but the last and scored on that one (NaN with
/// one repeat).
Metric separability(Repeats states, std::span<const std::int64_t> labels);

}  // namespace lightloop
