#pragma once
// A single-mode semiconductor laser with delayed optical feedback and optical injection.
//
// Normalised Lang-Kobayashi equations (Lang and Kobayashi, IEEE J. Quantum Electron. 16, 347 (1980), in the scaling of
// the spin-flip literature, e.g. Martin-Regalado et al., IEEE J. Quantum Electron. 33, 765 (1997), one polarisation):
//   E' = k (1 + i alpha) (N - 1) E + eta exp(i phi) E(t - tau) + kinj Einj exp(+i 2 pi dnu t) + sqrt(b g N) xi
//   N' = g (mu - N - N |E|^2)
// k = 1 / (2 photon lifetime), g = 1 / carrier lifetime, mu the pump (threshold 1), xi complex white noise whose real
// and imaginary part each have unit density. E is the envelope of exp(+i w0 t), so the phase of the feedback is phi =
// -w0 tau. Sources that use exp(-i w0 t) have the complex conjugate of E, (1 - i alpha) and exp(+i w0 tau); sources
// with photon numbers have G(N) linear: k (N - 1) here is (G - 1 / photon lifetime) / 2 there.
//
// Noise acts on E and depends on N only, so the Ito and Stratonovich readings agree.
#include <array>
#include <complex>
#include <cstdint>
#include <span>

#include "core/bytes.hpp"
#include "core/ode/delay_line.hpp"

namespace lightloop {

struct LangKobayashiModel {
  double photon_lifetime_s = 1.0 / 600e9;
  double carrier_lifetime_s = 1e-9;
  double alpha = 3;          ///< linewidth enhancement
  double spontaneous = 0;    ///< b: fraction of carriers that emit into the mode
  double feedback_rate = 0;  ///< eta, 1/s
  double feedback_phase_rad = 0;
  Index delay_steps = 1;      ///< tau in steps, >= 1
  double injection_rate = 0;  ///< kinj, 1/s
  double detuning_hz = 0;     ///< dnu = injected minus free-running frequency
  double step_s = 1e-12;      ///< Heun; keep w step < 0.3 for the fastest w (detuning, relaxation oscillation)
};

/// The laser in time. State: field, carriers, the field over the last tau, and the number of steps since reset().
class LangKobayashi {
 public:
  explicit LangKobayashi(const LangKobayashiModel& model);

  /// Keeps the state where it can: the field's history is lost if the delay changes.
  const LangKobayashiModel& model() const { return model_; }
  /// Other parameters, same state. The delay must stay what it is.
  void change(const LangKobayashiModel& model);

  /// Solitary steady state at pump mu with phase 0, I = max(mu - 1, 0), N = min(mu, 1), and a dark feedback arm.
  void reset(double mu);

  /// Advances `steps` steps at constant pump and injected amplitude; returns the mean |E|^2 over them. `normals`: two
  /// standard normals per step, or empty for no spontaneous emission.
  double advance(Index steps, double mu, double injected, std::span<const float> normals);

  std::complex<double> field() const { return {x_[0], x_[1]}; }
  double carriers() const { return x_[2]; }
  double intensity() const { return x_[0] * x_[0] + x_[1] * x_[1]; }
  std::uint64_t steps() const { return step_; }

  void save(ByteWriter& bytes) const;
  /// Throws InvalidParameter, nothing changed, when the bytes belong to another delay.
  void load(ByteReader& bytes);

 private:
  using State = std::array<double, 3>;  // Re E, Im E, N
  LangKobayashiModel model_;
  State x_{0, 0, 1};
  DelayLine<std::complex<double>> past_;
  std::uint64_t step_ = 0;
};

}  // namespace lightloop
