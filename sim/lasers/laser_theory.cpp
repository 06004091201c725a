#include "sim/lasers/laser_theory.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

namespace lightloop {
namespace {

constexpr double kElementaryCharge = 1.602176634e-19;  // exact by definition of the SI
constexpr double kTurn = 2 * std::numbers::pi;

double field_decay(const LaserModel& m) { return 0.5 / m.photon_lifetime_s; }

/// Solitary rest state of one polarisation without dichroism.
struct Rest {
  double intensity, carriers;
};
Rest rest(const LaserModel& m, double pump) {
  const double intensity = std::max(pump - 1, 0.0) / (1 + m.saturation);
  return {intensity, 1 + m.saturation * intensity};
}

/// Linearisation of (R, N): R' = k (N / (1 + s R^2) - 1) R, N' = g (mu - N - N R^2 / (1 + s R^2)).
struct Jacobian {
  double rr, rn, nr, nn;
};
Jacobian jacobian(const LaserModel& m, double pump) {
  const double k = field_decay(m), g = 1 / m.carrier_lifetime_s, s = m.saturation;
  const Rest at = rest(m, pump);
  const double r = std::sqrt(at.intensity), c = 1 + s * at.intensity;
  return {-2 * k * at.carriers * s * at.intensity / (c * c), k * r / c, -2 * g * at.carriers * r / (c * c),
          -g * (1 + at.intensity / c)};
}

using Matrix3 = std::array<std::array<double, 3>, 3>;

/// Whether all eigenvalues have a negative real part: Hurwitz' conditions on the characteristic polynomial.
bool decays(const Matrix3& m) {
  const auto minor = [&](std::size_t i, std::size_t j) { return m[i][i] * m[j][j] - m[i][j] * m[j][i]; };
  const double trace = m[0][0] + m[1][1] + m[2][2], minors = minor(0, 1) + minor(0, 2) + minor(1, 2);
  const double det = m[0][0] * minor(1, 2) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
                     m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
  return trace < 0 && det < 0 && -trace * minors > -det;
}

}  // namespace

double threshold_current_a(const PhotonNumberLaser& l) {
  return kElementaryCharge / l.carrier_lifetime_s * (l.transparency + 1 / (l.gain_per_s * l.photon_lifetime_s));
}

double pump_slope(const PhotonNumberLaser& l) { return 1 + l.gain_per_s * l.photon_lifetime_s * l.transparency; }

LaserModel normalised(const PhotonNumberLaser& l) {
  LaserModel m;
  m.photon_lifetime_s = l.photon_lifetime_s;
  m.carrier_lifetime_s = l.carrier_lifetime_s;
  m.alpha = l.alpha;
  m.saturation = l.saturation / (l.gain_per_s * l.carrier_lifetime_s);
  return m;
}

double threshold_pump(const LaserModel& m, bool two_polarisations) {
  return two_polarisations ? 1 - std::abs(m.dichroism_rate) / field_decay(m) : 1.0;
}

Oscillation relaxation_oscillation(const LaserModel& m, double pump) {
  const Jacobian j = jacobian(m, pump);
  const double damping = -(j.rr + j.nn) / 2, square = j.rr * j.nn - j.rn * j.nr - damping * damping;
  return {std::sqrt(std::max(square, 0.0)) / kTurn, damping};
}

// dr = (rr r + rn n) dt + sd dW, dn = (nr r + nn n) dt: |r(w)|^2 ~ (w^2 + nn^2) / ((det - w^2)^2 + w^2 trace^2).
double rin_peak_hz(const LaserModel& m, double pump) {
  const Jacobian j = jacobian(m, pump);
  const double det = j.rr * j.nn - j.rn * j.nr, trace = j.rr + j.nn, a = j.nn * j.nn;
  // With u = w^2 the spectrum (u + a) / (u^2 + (trace^2 - 2 det) u + det^2) is stationary where
  // u^2 + 2 a u + a (trace^2 - 2 det) - det^2 = 0.
  const double u = -a + std::sqrt(std::max(a * a - a * (trace * trace - 2 * det) + det * det, 0.0));
  return std::sqrt(std::max(u, 0.0)) / kTurn;
}

double relative_intensity_noise(const LaserModel& m, double pump) {
  const Jacobian j = jacobian(m, pump);
  const Rest at = rest(m, pump);
  const double white = m.spontaneous / m.carrier_lifetime_s * at.carriers;  // <dr^2> / dt
  // Lyapunov equation for var r: 2 rr v + 2 rn c + white = 0, nr v + (rr + nn) c + rn w = 0, nr c + nn w = 0
  const double det = j.rr * j.nn - j.rn * j.nr, trace = j.rr + j.nn;
  const double variance = -white * (det + j.nn * j.nn) / (2 * trace * det);
  return 2 * std::sqrt(variance / at.intensity);
}

double phase_diffusion(const LaserModel& m, double pump) {
  const Rest at = rest(m, pump);
  return m.spontaneous / m.carrier_lifetime_s * at.carriers / at.intensity * (1 + m.alpha * m.alpha);
}

double adler_range_hz(const LaserModel& m, double pump, double injected) {
  return m.injection_rate * injected / std::sqrt(rest(m, pump).intensity) * std::sqrt(1 + m.alpha * m.alpha) / kTurn;
}

bool locks(const LaserModel& m, double pump, double injected) {
  const double k = field_decay(m), g = 1 / m.carrier_lifetime_s, drive = m.injection_rate * injected;
  const double delta = kTurn * m.detuning_hz;
  // At rest |a (1 + i alpha) - i delta|^2 I = drive^2 with a = k (N - 1) and I = mu / N - 1.
  const auto excess = [&](double n) {
    const double a = k * (n - 1);
    return (a * a + (m.alpha * a - delta) * (m.alpha * a - delta)) * (pump / n - 1) - drive * drive;
  };
  const auto stable = [&](double n) {
    const double a = k * (n - 1);
    const std::complex<double> e = -drive / std::complex<double>(a, m.alpha * a - delta);
    const double x = e.real(), y = e.imag();
    return decays({{{a, -(m.alpha * a - delta), k * (x - m.alpha * y)},
                    {m.alpha * a - delta, a, k * (y + m.alpha * x)},
                    {-2 * g * n * x, -2 * g * n * y, -g * (1 + std::norm(e))}}});
  };
  constexpr int kGrid = 2000;
  double low = 1e-9 * pump, before = excess(low);
  // Roots lie dense near N = 1 at weak injection: a grid that is fine there.
  const double width = std::max({pump, 1.0});
  const double scale = std::min(1.0, 10 * (drive + std::abs(delta)) / k);
  for (int i = 1; i <= 2 * kGrid; ++i) {
    const double u = static_cast<double>(i - kGrid) / kGrid;
    const double next = std::min(1 + u * scale + (width - scale) * u * u * u, pump);
    if (next <= low) continue;
    const double now = excess(next);
    if ((before > 0) != (now > 0)) {
      double a = low, b = next;
      for (int step = 0; step < 100; ++step) {
        const double c = (a + b) / 2;
        ((excess(c) > 0) == (before > 0) ? a : b) = c;
      }
      if (stable((a + b) / 2)) return true;
    }
    low = next;
    before = now;
  }
  return false;
}

std::pair<double, double> locking_range_hz(const LaserModel& given, double pump, double injected, int steps) {
  LaserModel m = given;
  const auto at = [&](double hz) {
    m.detuning_hz = hz;
    return locks(m, pump, injected);
  };
  const double reach = 1.5 * adler_range_hz(m, pump, injected);
  const auto grid = [&](int i) { return -reach + 2 * reach * i / steps; };
  int best = 0, first = 0, last = 0;
  for (int i = 0, length = 0; i <= steps; ++i) {
    length = at(grid(i)) ? length + 1 : 0;
    if (length > best) best = length, last = i, first = i - length + 1;
  }
  if (best == 0) return {0, 0};
  const auto edge = [&](double inside, double outside) {
    for (int i = 0; i < 40; ++i) {
      const double middle = (inside + outside) / 2;
      (at(middle) ? inside : outside) = middle;
    }
    return (inside + outside) / 2;
  };
  return {edge(grid(first), grid(first - 1)), edge(grid(last), grid(last + 1))};
}

bool polarisation_stable(const LaserModel& m, double pump, bool y) {
  const double sign = y ? -1 : 1, ga = sign * m.dichroism_rate, gp = sign * m.birefringence_rad_per_s;
  const double k = field_decay(m), g = 1 / m.carrier_lifetime_s, carriers = 1 + ga / k;
  if (pump <= carriers) return false;
  const double q = std::sqrt((pump - carriers) / carriers / 2);
  return decays({{{2 * ga, -2 * gp, k * q},
                  {2 * gp, 2 * ga, k * m.alpha * q},
                  {-4 * g * carriers * q, 0, -(m.spin_rate + 2 * g * q * q)}}});
}

double x_lost_above(const LaserModel& m) {
  const double g = 1 / m.carrier_lifetime_s, gp = m.birefringence_rad_per_s;
  return 1 + m.spin_rate * gp / (g * (field_decay(m) * m.alpha - gp));
}

double y_stable_above(const LaserModel& m) {
  return std::max(1.0, 1 + (2 * m.alpha * m.birefringence_rad_per_s - m.spin_rate) * m.carrier_lifetime_s);
}

}  // namespace lightloop
