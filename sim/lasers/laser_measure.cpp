#include "sim/lasers/laser_measure.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>

#include "sim/lasers/laser_run.hpp"

namespace lightloop {
namespace {

constexpr double kTurn = 2 * std::numbers::pi, kNone = std::numeric_limits<double>::quiet_NaN();
constexpr int kLanes = bench::kLanes;
using bench::Each;
using bench::Run;

/// Narrows [inside, outside] with eight probes at a time until it is below `width`; probe(at) says for eight places
/// whether they are like the inside.
template <class Probe>
double edge(double inside, double outside, double width, Probe probe) {
  while (std::abs(outside - inside) > width) {
    Each at;
    for (std::size_t i = 0; i < kLanes; ++i)
      at[i] = inside + (outside - inside) * static_cast<double>(i + 1) / (kLanes + 1);
    const std::array<bool, kLanes> like = probe(at);
    std::size_t held = 0;
    while (held < kLanes && like[held]) ++held;
    const double far = held < kLanes ? at[held] : outside;
    if (held > 0) inside = at[held - 1];
    outside = far;
  }
  return (inside + outside) / 2;
}

}  // namespace

LaserBench::LaserBench(const LaserModel& model, const LaserGrid& grid, std::uint64_t seed)
    : model_(model), grid_(grid), seed_(seed) {
  model_.feedback_rate = 0;
  model_.detuning_hz = 0;
  grid_.delay_steps = 1;
  grid_.single_precision = false;
}

std::unique_ptr<Lasers> LaserBench::lasers(int lanes) const {
  auto made = make_lasers(grid_, lanes);
  for (int lane = 0; lane < lanes; ++lane) made->set(lane, model_);
  return made;
}

LaserBench::LightLine LaserBench::light_line() const {
  Run run{lasers(kLanes)};
  for (std::size_t i = 0; i < kLanes; ++i) run.pump[i] = i % 2 ? 2.5 : 1.5;
  for (int lane = 0; lane < kLanes; ++lane) {
    run.lasers->reset(lane, 2);
    LaserState state = run.lasers->state(lane);
    (std::norm(state.x) > std::norm(state.y) ? state.y : state.x) = 0;  // light of one polarisation
    run.lasers->set_state(lane, state);
  }
  run.advance(std::llround(60 * model_.carrier_lifetime_s / grid_.step_s));
  const double low = run.lasers->state(0).intensity(), high = run.lasers->state(1).intensity();
  return {1.5 - low / (high - low), high - low};
}

LaserBench::Ringing LaserBench::ringing(double pump) const {
  Run run{lasers(kLanes)};
  run.all(pump);
  run.lasers->reset(0, pump);
  LaserState state = run.lasers->state(0);
  (std::norm(state.x) > std::norm(state.y) ? state.y : state.x) = 0;
  run.lasers->set_state(0, state);
  run.advance(std::llround(60 * model_.carrier_lifetime_s / grid_.step_s));
  state = run.lasers->state(0);
  const double rest = state.intensity();
  state.x *= 1 + 1e-4;
  state.y *= 1 + 1e-4;
  run.lasers->set_state(0, state);
  // y[n+1] = a y[n] + b y[n-1]: least squares over two carrier lifetimes, at about 40 samples per lifetime or 1 step
  const double k = 0.5 / model_.photon_lifetime_s, fastest = std::sqrt(2 * k / model_.carrier_lifetime_s * pump);
  const Index stride = std::max<Index>(1, static_cast<Index>(0.3 / (fastest * grid_.step_s)));
  const Index samples = std::clamp<Index>(
      std::llround(2 * model_.carrier_lifetime_s / (static_cast<double>(stride) * grid_.step_s)), 20, 100000);
  double before = 0, now = run.lasers->state(0).intensity() - rest, s00 = 0, s01 = 0, s11 = 0, t0 = 0, t1 = 0;
  for (Index n = 0; n < samples; ++n) {
    run.advance(stride);
    const double next = run.lasers->state(0).intensity() - rest;
    if (n > 0) {
      s00 += now * now;
      s01 += now * before;
      s11 += before * before;
      t0 += now * next;
      t1 += before * next;
    }
    before = now;
    now = next;
  }
  const double det = s00 * s11 - s01 * s01, a = (t0 * s11 - t1 * s01) / det, b = (t1 * s00 - t0 * s01) / det;
  const std::complex<double> pole = (a + std::sqrt(std::complex<double>(a * a + 4 * b))) / 2.0;
  const std::complex<double> rate = std::log(pole) / (static_cast<double>(stride) * grid_.step_s);
  return {std::abs(rate.imag()) / kTurn, -rate.real()};
}

std::pair<double, double> LaserBench::locking_range_hz(double pump, double injected, double inside_hz,
                                                       double reach_hz) const {
  const double slowest = 2 * model_.carrier_lifetime_s / pump;  // the damping time of the relaxation oscillation
  const Index window = std::llround(40 * slowest / grid_.step_s), piece = std::max<Index>(1, window / 400);
  const auto still = [&](const std::array<LaserState, kLanes>& start, const Each& at, Run& run) {
    run.all(pump, injected);
    for (int lane = 0; lane < kLanes; ++lane) run.lasers->set_state(lane, start[static_cast<std::size_t>(lane)]);
    // slowly from the start to the probe, so that a locked laser stays on its branch where another attractor coexists
    constexpr int kStages = 64;
    for (int stage = 1; stage <= kStages; ++stage) {
      for (int lane = 0; lane < kLanes; ++lane) {
        LaserModel m = model_;
        m.detuning_hz = inside_hz + (at[static_cast<std::size_t>(lane)] - inside_hz) * stage / kStages;
        run.lasers->set(lane, m);
      }
      run.advance(4 * window / kStages);
    }
    run.advance(3 * window);
    // spread of the field over two windows: small, or shrinking
    std::array<Each, 2> spread{};
    for (Each& one : spread) {
      std::array<std::complex<double>, kLanes> sum{};
      Each square{};
      const Index pieces = window / piece;
      for (Index p = 0; p < pieces; ++p) {
        run.advance(piece);
        for (std::size_t i = 0; i < kLanes; ++i) {
          const std::complex<double> e = run.lasers->state(static_cast<int>(i)).x;
          sum[i] += e;
          square[i] += std::norm(e);
        }
      }
      for (std::size_t i = 0; i < kLanes; ++i)
        one[i] = square[i] / static_cast<double>(pieces) / std::norm(sum[i] / static_cast<double>(pieces)) - 1;
    }
    std::array<bool, kLanes> held;
    for (std::size_t i = 0; i < kLanes; ++i)
      held[i] = spread[1][i] < 1e-8 || (spread[1][i] < 2.5e-3 && spread[1][i] < 0.8 * spread[0][i]);
    return held;
  };
  // where other attractors coexist it depends on the phase of the start which one is met
  Each middle;
  middle.fill(inside_hz);
  std::array<LaserState, kLanes> starts;
  for (std::size_t i = 0; i < kLanes; ++i)
    starts[i].x = std::polar(std::sqrt(std::max(pump - 1, 0.1)), kTurn * static_cast<double>(i) / kLanes);
  Run first{lasers(kLanes)};
  const auto held = still(starts, middle, first);
  const auto locked = static_cast<int>(std::ranges::find(held, true) - held.begin());
  if (locked == kLanes) return {kNone, kNone};
  starts.fill(first.lasers->state(locked));
  const auto probe = [&](const Each& at) {
    Run run{lasers(kLanes)};
    return still(starts, at, run);
  };
  const double width = 2e-3 * reach_hz;
  return {edge(inside_hz, inside_hz - reach_hz, width, probe), edge(inside_hz, inside_hz + reach_hz, width, probe)};
}

double LaserBench::polarisation_edge(bool y, double low, double high) const {
  const double k = 0.5 / model_.photon_lifetime_s, least = 1 + (y ? -1 : 1) * model_.dichroism_rate / k;
  const Index window = std::llround(60 * model_.carrier_lifetime_s / grid_.step_s);
  const auto stable = [&](const Each& at) {
    Run run{lasers(kLanes)};
    run.pump = at;
    for (int lane = 0; lane < kLanes; ++lane) {
      const double field = std::sqrt(std::max(at[static_cast<std::size_t>(lane)] / least - 1, 0.0));
      LaserState state{field, 1e-6 * field, least, 0};
      if (y) std::swap(state.x, state.y);
      run.lasers->set_state(lane, state);
    }
    run.advance(window);
    const auto other = [&] { return y ? run.mean_x : run.mean_y; };
    const Each main = y ? run.mean_y : run.mean_x;
    run.advance(window);
    const Each first = other();
    run.advance(window);
    std::array<bool, kLanes> decays;
    for (std::size_t i = 0; i < kLanes; ++i) decays[i] = other()[i] <= first[i] && other()[i] < 1e-2 * main[i];
    return decays;
  };
  Each ends;
  ends.fill(low);
  ends[1] = high;
  const auto at_ends = stable(ends);
  if (at_ends[0] == at_ends[1]) return kNone;
  const auto like_low = [&](const Each& at) {
    auto like = stable(at);
    for (bool& one : like) one = one == at_ends[0];
    return like;
  };
  return edge(low, high, 2e-3 * low, like_low);
}

}  // namespace lightloop
