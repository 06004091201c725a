#pragma once
// Filamentary resistive memory (ReRAM) cells: how far a written conductance is from its target, now and later.
//
// g_max = 40 uS, u = target / g_max. Of 3 million cells written and verified, the deviations from the target widen as
// the filaments relax (Wan et al., Nature 608, 504 (2022)); their spread, in uS, as fitted by aihwkit's authors to the
// published curves:
//   1 s:    0.348 + 16.030 u - 43.853 u^2 + 45.393 u^3 - 16.815 u^4
//   1 day:  0.701 + 22.086 u - 50.773 u^2 + 47.095 u^3 - 16.458 u^4
//   2 days: 0.782 + 20.274 u - 43.507 u^2 + 37.062 u^3 - 11.934 u^4
// Between these times the spread goes with the logarithm of the time (assumed); it never shrinks. Before 1 s it is that
// of 1 s. Nothing was published for later than 2 days. Read noise: 1 % of g_max on a weight, white (the same authors).
#include <span>

namespace lightloop::resistive {

inline constexpr double kMaxMicrosiemens = 40, kReadSd = 0.01, kFirstS = 1, kLastS = 2 * 86400.0;

/// sd over g_max of the deviations from target u in [0, 1] (beyond 1: that of 1) at t seconds after writing. Throws
/// OutOfRange above kLastS.
double spread(double u, double t_s);

/// A cell that missed its target by `error` spreads when it was written goes on relaxing in a direction of its own, xi:
/// g = max(0, u + spread(u, 1 s) error + sqrt(spread(u, t)^2 - spread(u, 1 s)^2) xi). With normal errors and xi the
/// deviations have the spread at every time (but for the clip at 0).
void relax(std::span<const float> target, std::span<const float> error, std::span<const float> xi, double t_s,
           std::span<float> out);

}  // namespace lightloop::resistive
