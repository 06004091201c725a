#include "devices/ring_bank/bank.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "core/random.hpp"
#include "core/threads.hpp"
#include "devices/ring_bank/bus.hpp"
#include "sim/detection/component_latency.hpp"

namespace lightloop::ring_bank {
namespace {
constexpr double kTurn = 2 * std::numbers::pi;
}  // namespace

Bank::Bank(const ParamSet& p)
    : inputs_(p.integer("input.size")),
      outputs_(p.integer("output.size")),
      channels_(p.integer("channels")),
      radius_m_(p.real("ring.radius_m")),
      range_(p.real("weight_range")),
      crosstalk_(p.real("crosstalk")),
      heater_range_(p.real("heater.range_rad")),
      heater_top_(std::exp2(static_cast<double>(p.integer("heater.bits"))) - 1),
      sweep_error_(p.real("sweep_error")),
      monitor_noise_(p.real("monitor_noise")),
      dither_error_(p.real("dither.error_rad")),
      ki_(p.real("control.ki")),
      kp_(p.real("control.kp")),
      kd_(p.real("control.kd")),
      index_rad_(kTurn * kTurn * p.real("ring.radius_m") * p.real("ring.index_spread") / p.real("wavelength_m")),
      coupling_spread_(p.real("ring.coupling_spread")),
      loss_spread_(p.real("ring.loss_spread")),
      swept_(p.text("control.method") != "model"),
      feedback_(p.text("control.method") == "pid"),
      rounds_(p.integer("control.steps")),
      seed_(static_cast<std::uint64_t>(p.integer("seed"))),
      nominal_(nominal_ring(p)),
      beyond_(std::numbers::pi / nominal_.finesse()),
      resolved_(resolved_channels(nominal_.finesse(), range_)),
      coupled_(channels_ > 1 && static_cast<double>(channels_) > resolved_),
      thermostat_(p.real("temperature.sd_k"), p.real("temperature.time_s"), p.real("phase_per_k"),
                  p.text("control.tracking") == "dither", p.real("dither.period_s"), seed_) {
  for (Index j = 0; j < channels_; ++j) {
    const double angle = kTurn * static_cast<double>(j) / static_cast<double>(channels_);
    cos_.push_back(std::cos(angle));
    sin_.push_back(std::sin(angle));
  }
  const auto all = static_cast<std::size_t>(inputs_ * outputs_);
  rings_.resize(all);
  offset_.resize(all);
  known_.assign(all, 0.0);
  heaters_.assign(all, 0.0);
  unreached_.assign(static_cast<std::size_t>(outputs_), 0);
  left_.assign(static_cast<std::size_t>(outputs_), 0.0);
  bias_.assign(static_cast<std::size_t>(outputs_), 0.0);
  weights_ = totals_ = Factor(outputs_, inputs_);
  fabricate();
}

double Bank::path_latency_s() const {
  const double bus_m = static_cast<double>(channels_) * 4 * radius_m_,
               ring_m = nominal_.drop_delay() * kTurn * radius_m_;
  return lightloop::path_latency_s(bus_m + ring_m, MeasuredRings::kGroupIndex);
}

void Bank::fabricate() {
  const Stream rings(seed_, 0, Purpose::ring_fabrication), sweep(seed_, 1, Purpose::ring_fabrication);
  const double loss = -std::log(nominal_.a);
  parallel_for(outputs_, [&](Index i) {
    const auto row = static_cast<std::uint64_t>(i);
    const auto coupler = [&](double r, std::uint64_t column) {
      return std::cos(std::min(std::acos(r) * std::abs(1 + coupling_spread_ * rings.normal(row, column)), 1.57));
    };
    for (Index k = 0; k < inputs_; ++k) {
      const auto n = static_cast<std::size_t>(i * inputs_ + k);
      const auto column = static_cast<std::uint64_t>(4 * k);
      offset_[n] = index_rad_ * rings.normal(row, column);
      rings_[n] = {coupler(nominal_.r1, column + 1), coupler(nominal_.r2, column + 2),
                   std::exp(-loss * std::abs(1 + loss_spread_ * rings.normal(row, column + 3)))};
      if (swept_) known_[n] = offset_[n] + sweep_error_ * sweep.normal(row, static_cast<std::uint64_t>(k));
    }
  });
}

void Bank::respond(Index output, std::span<const double> psi, std::span<double> drop, std::span<double> through) const {
  for (Index first = 0; first < inputs_; first += channels_) {
    const Index n = std::min(channels_, inputs_ - first);
    const auto base = static_cast<std::size_t>(first);
    for (std::size_t j = 0; j < static_cast<std::size_t>(n); ++j) drop[base + j] = 0, through[base + j] = 1;
    for (std::size_t k = 0; k < static_cast<std::size_t>(n); ++k) {
      const AddDropRing& ring = rings_[static_cast<std::size_t>(output * inputs_) + base + k];
      const double round = ring.r1 * ring.r2 * ring.a, square = 1 + round * round;
      const double kept = ring.r2 * ring.r2 * ring.a * ring.a + ring.r1 * ring.r1;
      const double dropped = (1 - ring.r1 * ring.r1) * (1 - ring.r2 * ring.r2) * ring.a;
      const double c = 2 * round * std::cos(psi[base + k]), s = 2 * round * std::sin(psi[base + k]);
      for (std::size_t j = 0; j < static_cast<std::size_t>(n); ++j) {
        const std::size_t apart = j >= k ? j - k : j + static_cast<std::size_t>(channels_) - k;
        const double both = c * cos_[apart] - s * sin_[apart], inverse = 1 / (square - both);
        drop[base + j] += through[base + j] * dropped * inverse;
        through[base + j] *= (kept - both) * inverse;
      }
    }
  }
}

void Bank::phases(Index output, std::span<const double> heaters, std::span<double> psi) const {
  for (Index k = 0; k < inputs_; ++k) {
    const auto n = static_cast<std::size_t>(k);
    double heat = heaters[n];
    if (k % channels_ > 0) heat += crosstalk_ * heaters[n - 1];
    if (k % channels_ + 1 < channels_ && k + 1 < inputs_) heat += crosstalk_ * heaters[n + 1];
    psi[n] = offset_[static_cast<std::size_t>(output * inputs_ + k)] + heat;
  }
}

void Bank::drive(Index output, std::span<const double> detuning, std::span<double> heaters) const {
  // A whole turn starts in the margin that the range leaves, so that heat of neighbours seldom costs a turn.
  const double margin = (heater_range_ - kTurn) / 2;
  const double* known = known_.data() + output * inputs_;
  std::vector<double> wanted(heaters.size());
  for (std::size_t k = 0; k < heaters.size(); ++k) {
    const double phase = detuning[k] - known[k];
    heaters[k] = wanted[k] = phase - kTurn * std::floor((phase - margin) / kTurn);
  }
  // Heat of neighbours: what it is wrong by shrinks by 2 crosstalk per round.
  for (int round = 0; round < 20 && swept_ && crosstalk_ > 0; ++round)
    for (std::size_t k = 0; k < heaters.size(); ++k) {
      const Index place = static_cast<Index>(k) % channels_;
      double from = 0;
      if (place > 0) from += heaters[k - 1];
      if (place + 1 < channels_ && k + 1 < heaters.size()) from += heaters[k + 1];
      const double next = wanted[k] - crosstalk_ * from;
      heaters[k] = next < 0 ? next + kTurn : next > heater_range_ ? next - kTurn : next;
    }
  const double step = heater_range_ / heater_top_;
  for (double& heater : heaters) heater = step * std::rint(heater / step);
}

void Bank::add_drift(Index output, Index step, double common, std::span<double> psi) const {
  const bool dithered = thermostat_.tracking && dither_error_ > 0;
  const Stream errors(seed_, 1, Purpose::ring_programming);
  const auto row = static_cast<std::uint64_t>(step), first = static_cast<std::uint64_t>(output * inputs_);
  for (std::size_t k = 0; k < psi.size(); ++k)
    psi[k] += common + (dithered ? dither_error_ * errors.normal(row, first + k) : 0.0);
}

void Bank::control(Index output, std::span<const double> target, std::uint64_t writes, Index now, double common) {
  const auto n = static_cast<std::size_t>(inputs_);
  const std::span<double> heaters(heaters_.data() + output * inputs_, n);
  std::vector<double> detuning(n), slope(n), psi(n), drop(n), through(n), last(n, 0.0), before(n, 0.0), drift(n, 0.0),
      change(n), step(n);
  const double steepest = nominal_.weight_slope(std::numbers::pi / nominal_.finesse() / std::sqrt(3.0));
  for (std::size_t k = 0; k < n; ++k) {
    detuning[k] = nominal_.phase_of_weight(range_ * target[k]);
    slope[k] = std::min(nominal_.weight_slope(detuning[k]), 0.05 * steepest) / range_;
  }
  BusStep bus(nominal_, channels_, steepest, nominal_.phase_of_weight(range_));
  add_drift(output, now, common, drift);
  drive(output, detuning, heaters);
  const Stream monitor(seed_, 0, Purpose::ring_programming);
  const std::uint64_t row = writes * static_cast<std::uint64_t>(outputs_) + static_cast<std::uint64_t>(output);
  for (Index round = 0; round < (feedback_ ? rounds_ : 0); ++round) {
    phases(output, heaters, psi);
    for (std::size_t k = 0; k < n; ++k) psi[k] += drift[k];
    respond(output, psi, drop, through);
    for (std::size_t k = 0; k < n; ++k) {
      const double seen = (drop[k] - through[k]) / range_ +
                          monitor_noise_ * monitor.normal(row, static_cast<std::uint64_t>(round * inputs_) + k);
      const double error = seen - target[k];
      change[k] = ki_ * error + (round > 0 ? kp_ * (error - last[k]) : 0.0) +
                  (round > 1 ? kd_ * (error - 2 * last[k] + before[k]) : 0.0);
      before[k] = last[k];
      last[k] = error;
      step[k] = change[k] / slope[k];
    }
    if (coupled_)
      for (std::size_t first = 0; first < n; first += static_cast<std::size_t>(channels_)) {
        const std::size_t rings = std::min(static_cast<std::size_t>(channels_), n - first);
        for (std::size_t k = first; k < first + rings; ++k) change[k] *= range_;
        bus.solve(std::span(detuning).subspan(first, rings), std::span(change).subspan(first, rings),
                  std::span(step).subspan(first, rings));
      }
    // no more than a third of the linewidth at once: the slopes were those of nominal rings
    const double most = kTurn / nominal_.finesse() / 3;
    for (std::size_t k = 0; k < n; ++k)
      detuning[k] = std::clamp(detuning[k] - std::clamp(step[k], -most, most), -beyond_, std::numbers::pi);
    drive(output, detuning, heaters);
  }
  left_[static_cast<std::size_t>(output)] = std::inner_product(last.begin(), last.end(), last.begin(), 0.0);
  Index& unreached = unreached_[static_cast<std::size_t>(output)];
  unreached = std::ranges::count_if(detuning, [&](double d) { return d <= -beyond_ || d >= std::numbers::pi; });
}

void Bank::write(std::span<const std::uint16_t> codes, float middle, std::uint64_t writes, double time_s) {
  const Index now = step(time_s);
  const double common = thermostat_.phase(now);
  parallel_for(outputs_, [&](Index i) {
    const auto n = static_cast<std::size_t>(inputs_), first = static_cast<std::size_t>(i) * n;
    if (writes == 0) {
      std::fill_n(heaters_.begin() + static_cast<std::ptrdiff_t>(first), n, 0.0);
      unreached_[static_cast<std::size_t>(i)] = 0;
      left_[static_cast<std::size_t>(i)] = 0;
      return;
    }
    std::vector<double> target(n);
    for (std::size_t k = 0; k < n; ++k)
      target[k] = static_cast<double>(codes[first + k]) / static_cast<double>(middle) - 1;
    control(i, target, writes, now, common);
  });
  heater_rad_ = std::accumulate(heaters_.begin(), heaters_.end(), 0.0);
  out_of_reach_ = std::accumulate(unreached_.begin(), unreached_.end(), Index{0});
  loop_error_ = std::sqrt(std::accumulate(left_.begin(), left_.end(), 0.0) / static_cast<double>(inputs_ * outputs_));
  step_ = -1;
  move_to(now);
  for (Index i = 0; i < outputs_; ++i) {
    double sum = 0;
    for (const float w : weights_.matrix().row(i)) sum += static_cast<double>(w);
    bias_[static_cast<std::size_t>(i)] = sum;
  }
}

void Bank::move_to(Index step) {
  if (step == step_) return;
  const double common = thermostat_.phase(step);
  Matrix<float>&weights = weights_.change(), &totals = totals_.change();
  parallel_for(outputs_, [&](Index i) {
    const auto n = static_cast<std::size_t>(inputs_);
    std::vector<double> psi(n), drop(n), through(n);
    phases(i, std::span<const double>(heaters_.data() + i * inputs_, n), psi);
    add_drift(i, step, common, psi);
    respond(i, psi, drop, through);
    for (std::size_t k = 0; k < n; ++k) {
      weights(i, static_cast<Index>(k)) = static_cast<float>((drop[k] - through[k]) / range_);
      totals(i, static_cast<Index>(k)) = static_cast<float>((drop[k] + through[k]) / range_);
    }
  });
  step_ = step;
}

}  // namespace lightloop::ring_bank
