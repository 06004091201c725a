#include "devices/pendula/chain.hpp"

#include <boost/numeric/odeint/integrate/integrate_n_steps.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta4.hpp>
#include <cmath>

namespace lightloop::pendula {
namespace {

using State = std::vector<double>;
using Stepper = boost::numeric::odeint::runge_kutta4<State>;

struct System {
  const Chain& chain;
  void operator()(const State& x, State& dxdt, double t) const { chain.slope(x, dxdt, t); }
};

std::size_t next(std::size_t i, std::size_t n) { return i + 1 == n ? 0 : i + 1; }

/// out = J(x, t)^T g, and what the parameters have of g.
void pull_back(const Chain& chain, const State& x, const State& g, double t, State& out, ChainGradient* gradient) {
  const std::size_t n = chain.frequency.size();
  const double push = std::cos(chain.drive_rad_s * t);
  for (std::size_t i = 0; i < n; ++i) {
    const double s = std::sin(x[i]), c = std::cos(x[i]), w = chain.frequency[i];
    out[i] = g[n + i] * (-w * w * c - chain.drive[i] * push * s);
    out[n + i] = g[i] - chain.damping * g[n + i];
    if (!gradient) continue;
    gradient->values[i] -= 2 * w * s * g[n + i];
    gradient->values[2 * n + i] += push * c * g[n + i];
  }
  if (n < 2) return;
  for (std::size_t i = 0; i < n; ++i) {  // the spring between i and j pulls i by k (q_j - q_i) and j by the opposite
    const std::size_t j = next(i, n);
    const double apart = g[n + i] - g[n + j];
    out[i] -= chain.coupling[i] * apart;
    out[j] += chain.coupling[i] * apart;
    if (gradient) gradient->values[n + i] += (x[j] - x[i]) * apart;
  }
}

}  // namespace

void Chain::slope(std::span<const double> x, std::span<double> dxdt, double t) const {
  const std::size_t n = frequency.size();
  const double push = std::cos(drive_rad_s * t);
  for (std::size_t i = 0; i < n; ++i) {
    dxdt[i] = x[n + i];
    dxdt[n + i] = -frequency[i] * frequency[i] * std::sin(x[i]) - damping * x[n + i] + drive[i] * push * std::cos(x[i]);
  }
  if (n < 2) return;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t j = next(i, n);
    const double pull = coupling[i] * (x[j] - x[i]);
    dxdt[n + i] += pull;
    dxdt[n + j] -= pull;
  }
}

void swing(const Chain& chain, double step_s, Index steps, std::vector<double>& x) {
  boost::numeric::odeint::integrate_n_steps(Stepper(), System{chain}, x, 0.0, step_s, static_cast<std::size_t>(steps));
}

void swing_back(const Chain& chain, double step_s, Index steps, std::span<const double> x, std::vector<double>& g,
                ChainGradient* gradient) {
  const std::size_t n = x.size(), count = static_cast<std::size_t>(steps);
  std::vector<State> path(count + 1, State(x.begin(), x.end()));
  Stepper stepper;
  for (std::size_t s = 0; s < count; ++s) {
    path[s + 1] = path[s];
    stepper.do_step(System{chain}, path[s + 1], static_cast<double>(s) * step_s, step_s);
  }
  // The stages of the step from a: x1 = a, x2 = a + h/2 k1, x3 = a + h/2 k2, x4 = a + h k3, end a + h/6 (k1 + 2 k2 + 2
  // k3 + k4); backwards every stage hands what it got to the one it was made of.
  State stage[4], slope[4], seed(n), back[4];
  for (int i = 0; i < 4; ++i) stage[i] = slope[i] = back[i] = State(n);
  constexpr double kAhead[4] = {0, 0.5, 0.5, 1}, kWeight[4] = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6};
  for (std::size_t s = count; s-- > 0;) {
    const double t = static_cast<double>(s) * step_s;
    for (int i = 0; i < 4; ++i) {
      for (std::size_t k = 0; k < n; ++k)
        stage[i][k] = path[s][k] + (i == 0 ? 0.0 : kAhead[i] * step_s * slope[i - 1][k]);
      chain.slope(stage[i], slope[i], t + kAhead[i] * step_s);
    }
    for (int i = 3; i >= 0; --i) {
      for (std::size_t k = 0; k < n; ++k)
        seed[k] = kWeight[i] * step_s * g[k] + (i == 3 ? 0.0 : kAhead[i + 1] * step_s * back[i + 1][k]);
      pull_back(chain, stage[i], seed, t + kAhead[i] * step_s, back[i], gradient);
    }
    for (std::size_t k = 0; k < n; ++k) g[k] += back[0][k] + back[1][k] + back[2][k] + back[3][k];
  }
}

}  // namespace lightloop::pendula
