#pragma once
// What the equations of spin_flip.hpp say in closed form, or as eigenvalues of their linearisation: the numbers that a
// measurement of the running model is held against. Solitary laser unless injection is named; x polarisation and no
// gain saturation unless said otherwise.
#include <utility>

#include "sim/lasers/spin_flip.hpp"

namespace lightloop {

/// A single-mode laser in photon numbers, as much of the literature has it:
///   E' = (1/2)(1 + i a)(G - 1/tph) E,  N' = I/q - N/ts - G |E|^2,  G = gN (N - N0) / (1 + s |E|^2)
struct PhotonNumberLaser {
  double photon_lifetime_s, carrier_lifetime_s, alpha;
  double gain_per_s;      ///< gN
  double transparency;    ///< N0, carriers
  double saturation = 0;  ///< s
};
/// (q / ts) (N0 + 1 / (gN tph)).
double threshold_current_a(const PhotonNumberLaser& laser);
/// dmu / d(I / I_th) = 1 + gN tph N0: mu = 1 + slope (I / I_th - 1).
double pump_slope(const PhotonNumberLaser& laser);
/// The same laser in the units of LaserModel, exactly: carriers gN tph (N - N0), intensity gN ts |E|^2.
LaserModel normalised(const PhotonNumberLaser& laser);

/// Lowest threshold pump, 1 - |ga| / k, and the slope dI/dmu above it.
double threshold_pump(const LaserModel& model, bool two_polarisations);

struct Oscillation {
  double frequency_hz, damping_per_s;  ///< exp(-damping t) cos(2 pi frequency t)
};
/// Eigenvalues of (|E|, N) at rest, gain saturation included; without it the frequency is
/// sqrt(2 k g (mu - 1) - (g mu / 2)^2) / 2 pi and the damping g mu / 2.
Oscillation relaxation_oscillation(const LaserModel& model, double pump);
/// Where the intensity noise of dR, dN driven by white noise on R peaks, and its sd over the mean.
double rin_peak_hz(const LaserModel& model, double pump);
double relative_intensity_noise(const LaserModel& model, double pump);
/// Phase diffusion, d<phi^2>/dt = (b g N / I)(1 + a^2) in rad^2/s; the linewidth is this over 2 pi (Henry, IEEE J.
/// Quantum Electron. 18, 259 (1982)).
double phase_diffusion(const LaserModel& model, double pump);

/// Half the locking range at weak injection: (kinj Einj / sqrt I) sqrt(1 + a^2) / 2 pi.
double adler_range_hz(const LaserModel& model, double pump, double injected);
/// Whether light locked to an injection detuned by model.detuning_hz is stable: all fixed points of the single-mode
/// equations, eigenvalues of (Re E, Im E, N).
bool locks(const LaserModel& model, double pump, double injected);
/// The widest interval of detunings around which light locks; found on a grid of `steps` and refined by bisection. The
/// lower edge is a saddle-node, the upper, beyond weak injection, a Hopf bifurcation.
std::pair<double, double> locking_range_hz(const LaserModel& model, double pump, double injected, int steps = 4000);

/// Whether light polarised along x (or y) alone is stable against the other polarisation: eigenvalues of the 3 x 3
/// matrix of (Re, Im of the other field, n). Infinite pump thresholds do not exist: above its own threshold only.
bool polarisation_stable(const LaserModel& model, double pump, bool y);
/// For ga = 0: x is stable below 1 + gs gp / (g (k a - gp)), y above 1 + (2 a gp - gs) / g (or everywhere where that is
/// below 1). Source: follows from the matrix by Hurwitz; agrees with Martin-Regalado et al. (1997).
double x_lost_above(const LaserModel& model);
double y_stable_above(const LaserModel& model);

}  // namespace lightloop
