#pragma once
// A semiconductor laser with two polarisations, delayed optical feedback and optical injection, alone or as the lanes
// of an ensemble.
//
// The spin-flip model (San Miguel, Feng and Moloney, Phys. Rev. A 52, 1728 (1995); Martin-Regalado et al., IEEE J.
// Quantum Electron. 33, 765 (1997)) in linear polarisations Ex = (E+ + E-) / sqrt 2, Ey = -i (E+ - E-) / sqrt 2:
//   Ex' = k (1 + i a)(N Ex + i n Ey - Ex) - (ga + i gp) Ex + (feedback)x + kinj cos(psi) Einj e^{i 2 pi dnu t} + Fx
//   Ey' = k (1 + i a)(N Ey - i n Ex - Ey) + (ga + i gp) Ey + (feedback)y + kinj sin(psi) Einj e^{i 2 pi dnu t} + Fy
//   N'  = -g [N - mu + N I + n C],  n' = -gs n - g [n I + N C],  I = |Ex|^2 + |Ey|^2,  C = i (Ey Ex* - Ex Ey*)
//   Fx = sqrt(b g / 2) [sqrt(N + n) xi+ + sqrt(N - n) xi-],  Fy = -i sqrt(b g / 2) [sqrt(N + n) xi+ - sqrt(N - n) xi-]
// k = 1 / (2 photon lifetime), g = 1 / carrier lifetime, mu the pump (threshold 1), xi+- complex white noise whose real
// and imaginary part each have unit density. With gain saturation, N and n become N / (1 + s I) and n / (1 + s I)
// wherever light multiplies them. Feedback: eta e^{i phi} E(t - tau), each polarisation into itself (isotropic), into
// the other (rotated), or x into y only (x_to_y). A single-mode laser (Lang and Kobayashi, IEEE J. Quantum Electron.
// 16, 347 (1980)) is Ex alone, with ga = gp = n = 0 and noise sqrt(b g N) xi.
//
// E is the envelope of exp(+i w0 t): the phase of the feedback is phi = -w0 tau. Sources that use exp(-i w0 t) have the
// complex conjugate of E, (1 - i a), +w0 tau and -(ga - i gp). Noise depends on N and n and acts on E, so the Ito and
// Stratonovich readings agree. Where N - n or N + n is negative its noise is taken as 0.
//
// Numerics: fields are kept in the frame of the injected light, where the detuning is a rotation and injection stands
// still; detuning and birefringence turn exactly and constant injection is integrated exactly (core/ode
// RotatingHeun), the spin n decays exactly, the rest is Heun; the noise amplitude is that of the middle of the step,
// to single precision.
// Order 2 without noise. The delay is a whole number of steps and needs no interpolation.
#include <complex>
#include <cstdint>
#include <memory>
#include <string>

#include "core/array.hpp"
#include "core/bytes.hpp"

namespace lightloop {

enum class FeedbackPath { isotropic, rotated, x_to_y };

/// One laser and its surroundings. SI units; rates per second.
struct LaserModel {
  double photon_lifetime_s = 1.0 / 600e9;
  double carrier_lifetime_s = 1e-9;
  double alpha = 3;                       ///< a, linewidth enhancement
  double spontaneous = 0;                 ///< b: fraction of carriers that emit into a mode
  double saturation = 0;                  ///< s: compression of the gain per unit of intensity
  double spin_rate = 50e9;                ///< gs; two polarisations only, as the next two
  double birefringence_rad_per_s = 10e9;  ///< gp: x runs at -gp, y at +gp
  double dichroism_rate = 0;              ///< ga: loss of x above, of y below the mean
  double feedback_rate = 0;               ///< eta
  double feedback_phase_rad = 0;
  double injection_rate = 0;       ///< kinj
  double injection_angle_rad = 0;  ///< psi: 0 along x
  double detuning_hz = 0;          ///< dnu = injected minus free-running frequency
};

/// What all lanes of an ensemble share.
struct LaserGrid {
  double step_s = 1e-12;
  Index delay_steps = 1;  ///< tau in steps, >= 1
  bool two_polarisations = false;
  FeedbackPath feedback = FeedbackPath::isotropic;
  bool single_precision = false;
};

/// Throws OutOfRange naming the term and the largest safe step when `step_s` does not resolve a rotation of the laser
/// at pumps up to `pump`: detuning and birefringence (turned exactly) by 1/2 rad, the relaxation oscillation (Heun) by
/// 0.3 rad per step. `who` leads the message.
void check_step(const LaserModel& model, const LaserGrid& grid, double pump, const std::string& who);

struct LaserState {
  std::complex<double> x, y;  ///< in the frame of the injected light
  double carriers = 1, spin = 0;
  double intensity() const { return std::norm(x) + std::norm(y); }
};

/// Detectors without inertia.
inline constexpr double kUnlimited = 0;

/// Lasers side by side. State: fields, carriers, spins, the light of the last tau, and the filtered intensities.
/// A lane's results are the same bits in any lane, beside any neighbours and for any number of lanes; they depend on
/// the precision. Not to be shared between threads.
class Lasers {
 public:
  virtual ~Lasers() = default;
  virtual int lanes() const = 0;
  virtual const LaserGrid& grid() const = 0;

  /// Other parameters, same state: a change of detuning goes on from the present phase of the injected light.
  /// `bandwidth_hz`: of a one-pole low-pass filter behind the intensities, kUnlimited for none.
  virtual void set(int lane, const LaserModel& model, double bandwidth_hz = kUnlimited) = 0;
  virtual const LaserModel& model(int lane) const = 0;

  /// Solitary steady state at pump mu with phase 0 and a dark feedback arm. Of two polarisations the one with the lower
  /// loss is lit (x for ga <= 0); the other holds 1e-4 of its field (assumed: something must seed it without noise).
  void reset(int lane, double mu);
  virtual LaserState state(int lane) const = 0;
  /// Sets the state; the feedback arm is dark.
  virtual void set_state(int lane, const LaserState& state) = 0;

  /// Advances all lanes `steps` steps at constant pump[lane] and injected[lane] = Einj. `normals` holds, for each step,
  /// four rows (re and im of xi+, of xi-) of `stride` >= lanes() standard normals, or is null for no spontaneous
  /// emission; a single-mode laser takes the first two rows. mean_x, mean_y: means of the filtered |Ex|^2, |Ey|^2.
  virtual void advance(Index steps, const double* pump, const double* injected, const float* normals, Index stride,
                       double* mean_x, double* mean_y) = 0;

  virtual void save(ByteWriter& bytes) const = 0;
  /// Throws InvalidParameter, nothing changed, for bytes of another grid or number of lanes.
  virtual void load(ByteReader& bytes) = 0;
};

/// `lanes`: 1, or 8 in double, 16 in single precision (one vector register).
std::unique_ptr<Lasers> make_lasers(const LaserGrid& grid, int lanes);
int vector_lanes(const LaserGrid& grid);

}  // namespace lightloop
