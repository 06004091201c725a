#pragma once
// Phase-change memory cells: what the statistics of a written conductance are, now and later.
//
// g_max = 25 uS, u = g / g_max. Programming, drift and read noise as fitted to a million measured devices (Joshi et
// al., Nat. Commun. 11, 2473 (2020); Nandakumar et al., IEDM 2019):
//   written: sd (0.26348 + 1.9650 u - 1.1731 u^2) uS around the target, never below 0
//   drift:   g(t) = g ((t + t0) / t0)^-nu, t0 = 20 s, nu = |N(mu, sigma)|,
//            mu = clip(-0.0155 ln u + 0.0244, 0.049, 0.1), sigma = clip(-0.0125 ln u - 0.0059, 0.008, 0.045)
//   read:    sd g(t) min(0.0088 / u^0.65, 0.2) sqrt(ln((t + t0 + t_read) / (2 t_read))), t_read = 250 ns (1 / f noise)
#include <span>

#include "core/array.hpp"

namespace lightloop::phase_change {

inline constexpr double kMaxMicrosiemens = 25, kDriftStartS = 20, kReadS = 250e-9;

/// Over g_max.
double programming_sd(double u);
double drift_mean(double u);
double drift_sd(double u);
/// Factor on g after t >= 0 seconds.
double drift_factor(double nu, double t_s);
/// sd over g of one reading of a cell written as u.
double read_sd(double u, double t_s);

/// out = (g factor)^2 read variance for cells g (over g_max) written at u = g: squares of read_sd times squares of the
/// drifted conductance `now`. Cells of 0 give 0.
void read_variance(std::span<const float> written, std::span<const float> now, double t_s, std::span<float> out);

}  // namespace lightloop::phase_change
