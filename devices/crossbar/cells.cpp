#include "devices/crossbar/cells.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/random.hpp"
#include "core/threads.hpp"
#include "core/vector_math.hpp"
#include "sim/memory/phase_change.hpp"
#include "sim/memory/resistive.hpp"

namespace lightloop::crossbar {
namespace {

constexpr double kStepsPerDoubling = 128;
constexpr double kErase = 1;          // pulses that bring a pulsed conductance to 0 from anywhere: assumed
constexpr std::uint64_t kRounds = 8;  // of pulses and reading back, when pulsed cells are given weights
constexpr double kIndependentError = 0.2 / phase_change::kMaxMicrosiemens, kIndependentNu = 0.1,
                 kIndependentNuSd = 0.05;

CellKind kind_of(const std::string& name) {
  if (name == "resistive") return CellKind::resistive;
  if (name == "phase_change") return CellKind::phase_change;
  if (name == "constant_step" || name == "soft_bounds") return CellKind::pulsed;
  return name == "gaussian" ? CellKind::gaussian : CellKind::state_independent;
}

}  // namespace

Cells::Cells(const ParamSet& params)
    : kind_(kind_of(params.text("cell.kind"))),
      seed_(static_cast<std::uint64_t>(params.integer("seed"))),
      error_(static_cast<float>(params.real("programming_error"))),
      stuck_off_(static_cast<float>(params.real("cell.stuck_off"))),
      stuck_on_(static_cast<float>(params.real("cell.stuck_on"))),
      refresh_(static_cast<float>(params.real("pulse.refresh"))),
      weights_(params.integer("output.size"), params.integer("input.size")),
      sums_(weights_) {
  if (kind_ == CellKind::gaussian) return;
  if (kind_ == CellKind::pulsed) {
    const bool soft = params.text("cell.kind") == "soft_bounds";
    const PulsedModel model{.kind = soft ? PulsedModel::Kind::soft_bounds : PulsedModel::Kind::constant_step,
                            .step = params.real("pulse.step"),
                            .step_spread = params.real("pulse.step_spread"),
                            .asymmetry_spread = params.real("pulse.asymmetry_spread"),
                            .bound_spread = params.real("pulse.bound_spread"),
                            .cycle_noise = params.real("pulse.cycle_noise")};
    const bool pair = params.boolean("pulse.pair");
    const Stream made(seed_, 1, Purpose::crossbar_fabrication);
    if (pair)
      pairs_.emplace(model, weights_.rows(), weights_.cols(), made, Stream(seed_, 4, Purpose::crossbar_fabrication));
    else
      pulsed_.emplace(model, weights_.rows(), weights_.cols(), made);
    const double erase = pair ? 2 * kErase : kErase;
    const auto expected = [&](double weight) { return erase + std::rint(nominal_pulses(model, 0, weight)); };
    const auto rows = static_cast<double>(weights_.rows()), columns = static_cast<double>(weights_.cols());
    sent_ = {rows * columns * expected(0.5), rows * (expected(1) - erase + kErase)};
    return;
  }
  for (int device = 0; device < 2; ++device) {
    written_[device] = paths_[device] = weights_.matrix();
    if (kind_ == CellKind::resistive) targets_[device] = weights_.matrix();
  }
  if (kind_ == CellKind::phase_change || kind_ == CellKind::resistive) read_variances_ = weights_;
  if (kind_ == CellKind::resistive)
    std::ranges::fill(read_variances_.change().flat(), static_cast<float>(resistive::kReadSd * resistive::kReadSd));
}

double Cells::bytes_per_cell(const ParamSet& params) {
  const double matrices[] = {6, 13, 10, 15,
                             11};  // by kind: weights, sums, what the constructor adds, what factors pack
  const CellKind kind = kind_of(params.text("cell.kind"));
  const double pair = kind == CellKind::pulsed && params.boolean("pulse.pair") ? 6 : 0;
  return sizeof(float) * (matrices[static_cast<std::size_t>(kind)] + pair);
}

double Cells::oldest() const {
  return kind_ == CellKind::resistive ? resistive::kLastS : std::numeric_limits<double>::infinity();
}

Index Cells::step(double age_s) {
  return static_cast<Index>(std::floor(kStepsPerDoubling * std::log2(1 + age_s / phase_change::kDriftStartS)));
}

double Cells::age_of(Index step) {
  return phase_change::kDriftStartS * std::expm1(std::log(2.0) * static_cast<double>(step) / kStepsPerDoubling);
}

void Cells::write(std::span<const std::uint16_t> codes, float middle, std::uint64_t write_number) {
  if (drifts()) {
    write_pairs(codes, middle, write_number);
    step_ = -1;
    return age(0);
  }
  const Index n = weights_.cols();
  if (pulsed()) {  // erased, then pulses by the nominal law and reading back
    Matrix<float> target(weights_.rows(), n);
    pairs_ ? pairs_->set(target, target) : pulsed_->set(target);
    for (Index i = 0; i < target.size(); ++i) target.data()[i] = (codes[static_cast<std::size_t>(i)] - middle) / middle;
    const auto rows = static_cast<double>(weights_.rows());
    sent_ = {(pairs_ ? 2 : 1) * kErase * rows * static_cast<double>(n), kErase * rows};
    if (write_number > 0) approach(target, {}, write_number, 0);
    return take_pulsed();
  }
  const Stream errors(seed_, 0, Purpose::crossbar_programming);
  Matrix<float>&weights = weights_.change(), &conductances = sums_.change();
  parallel_for(weights.rows(), [&](Index i) {
    const std::span<float> row = weights.row(i), sums = conductances.row(i);
    if (write_number == 0) {
      std::ranges::fill(row, 0.0f);
    } else {
      errors.normal(write_number * static_cast<std::uint64_t>(weights.rows()) + static_cast<std::uint64_t>(i), 0, row);
      const std::uint16_t* from = codes.data() + i * n;
      for (std::size_t j = 0; j < row.size(); ++j) row[j] = (from[j] - middle) / middle + error_ * row[j];
    }
    for (std::size_t j = 0; j < row.size(); ++j) sums[j] = std::abs(row[j]);
  });
}

void Cells::pulse(std::span<const std::uint16_t> codes, float middle, std::uint64_t write_number) {
  Matrix<std::int32_t> counts(weights_.rows(), weights_.cols());
  for (Index i = 0; i < counts.size(); ++i)
    counts.data()[i] =
        static_cast<std::int32_t>(codes[static_cast<std::size_t>(i)]) - static_cast<std::int32_t>(middle);
  sent_ = {};
  apply(counts, write_number, 0);
  if (pairs_ && refresh_ > 0) refresh(write_number);
  take_pulsed();
}

void Cells::approach(View<const float> target, std::span<const std::uint8_t> those, std::uint64_t write_number,
                     std::uint64_t first_round) {
  Matrix<std::int32_t> counts(target.rows(), target.cols());
  for (std::uint64_t round = first_round; round < kRounds; ++round) {
    pairs_ ? pairs_->nominal_pulses(target, counts) : pulsed_->nominal_pulses(target, counts);
    for (std::size_t i = 0; i < those.size(); ++i)
      if (those[i] == 0) counts.data()[i] = 0;
    apply(counts, write_number, round);
  }
}

void Cells::refresh(std::uint64_t write_number) {
  const Matrix<float> held = pairs_->weights();
  std::vector<std::uint8_t> worn(static_cast<std::size_t>(held.size()));
  bool any = false;
  for (Index i = 0; i < held.rows(); ++i) {
    bool here = false;
    for (Index j = 0; j < held.cols(); ++j) {
      if (pairs_->common(i, j) < refresh_) continue;
      worn[static_cast<std::size_t>(i * held.cols() + j)] = 1;
      pairs_->erase(i, j);
      sent_.pulses += 2 * kErase;
      here = true;
    }
    sent_.longest += here ? kErase : 0;
    any = any || here;
  }
  if (any) approach(held, worn, write_number, 1);  // round 0 was that of the pulses
}

void Cells::apply(View<const std::int32_t> counts, std::uint64_t write_number, std::uint64_t round) {
  const std::uint64_t row = (write_number * kRounds + round) * static_cast<std::uint64_t>(weights_.rows());
  const Stream cycles(seed_, 0, Purpose::crossbar_programming);
  pairs_ ? pairs_->pulse(counts, cycles, row) : pulsed_->pulse(counts, cycles, row);
  for (Index i = 0; i < counts.rows(); ++i) {
    std::int32_t longest = 0;
    for (const std::int32_t count : counts.row(i)) {
      sent_.pulses += std::abs(count);
      longest = std::max(longest, std::abs(count));
    }
    sent_.longest += longest;
  }
}

void Cells::set(View<const float> weights) {
  pulsed_->set(weights);
  take_pulsed();
}

void Cells::set_pairs(View<const float> plus, View<const float> minus) {
  pairs_->set(plus, minus);
  take_pulsed();
}

void Cells::take_pulsed() {
  const Matrix<float>& now = weights_.change() = of_pulses();
  float* const sums = sums_.change().data();
  for (Index i = 0; i < now.size(); ++i)
    sums[i] = pairs_ ? pairs_->plus().data()[i] + pairs_->minus().data()[i] : std::abs(now.data()[i]);
}

void Cells::write_pairs(std::span<const std::uint16_t> codes, float middle, std::uint64_t write_number) {
  const Index n = weights_.cols();
  parallel_for(weights_.rows(), [&](Index i) {
    const std::uint64_t at = write_number * static_cast<std::uint64_t>(weights_.rows()) + static_cast<std::uint64_t>(i);
    for (Index device = 0; device < 2; ++device) {
      const std::span<float> g = written_[device].row(i);
      if (write_number == 0) {
        std::ranges::fill(g, 0.0f);
        if (kind_ == CellKind::resistive) std::ranges::fill(targets_[device].row(i), 0.0f);
      } else {
        Stream(seed_, static_cast<std::uint64_t>(1 + device), Purpose::crossbar_programming).normal(at, 0, g);
        const std::uint16_t* from = codes.data() + i * n;
        for (std::size_t j = 0; j < g.size(); ++j) {
          const float w = (from[j] - middle) / middle, target = std::max(device == 0 ? w : -w, 0.0f);
          if (kind_ == CellKind::resistive) {  // g is the error in spreads
            targets_[device].row(i)[j] = target;
            continue;
          }
          const double sd = kind_ == CellKind::phase_change ? phase_change::programming_sd(static_cast<double>(target))
                                                            : kIndependentError;
          g[j] = std::max(0.0f, target + static_cast<float>(sd) * g[j]);
        }
      }
      fill_paths(device, i, at);
    }
  });
}

void Cells::fill_paths(Index device, Index row, std::uint64_t stream_row) {
  const std::span<float> nu = paths_[device].row(row);
  const std::span<const float> g = written_[device].row(row);
  Stream(seed_, static_cast<std::uint64_t>(3 + device), Purpose::crossbar_programming).normal(stream_row, 0, nu);
  if (kind_ == CellKind::resistive) {
    if (stream_row < static_cast<std::uint64_t>(weights_.rows())) std::ranges::fill(nu, 0.0f);  // erased
    return;
  }
  for (std::size_t j = 0; j < nu.size(); ++j) {
    const auto u = static_cast<double>(g[j]);
    const bool pcm = kind_ == CellKind::phase_change;
    const double mean = pcm ? phase_change::drift_mean(u) : kIndependentNu;
    const double sd = pcm ? phase_change::drift_sd(u) : kIndependentNuSd;
    nu[j] = static_cast<float>(std::abs(mean + sd * static_cast<double>(nu[j])));
  }
}

void Cells::stick(int device, Index row, std::span<float> g) const {
  if (stuck_off_ == 0 && stuck_on_ == 0) return;
  std::vector<float> fate(g.size());
  Stream(seed_, static_cast<std::uint64_t>(2 + device), Purpose::crossbar_fabrication)
      .uniform(static_cast<std::uint64_t>(row), 0, fate);
  for (std::size_t j = 0; j < g.size(); ++j) {
    if (fate[j] < stuck_off_)
      g[j] = 0;
    else if (fate[j] < stuck_off_ + stuck_on_)
      g[j] = 1;
  }
}

void Cells::age(Index step) {
  if (!drifts() || step == step_) return;
  step_ = step;
  const double age_s = age_of(step);
  const auto log_time = static_cast<float>(-std::log1p(age_s / phase_change::kDriftStartS));
  Matrix<float>&weights = weights_.change(), &conductances = sums_.change();
  Matrix<float>* read_variances = kind_ == CellKind::phase_change ? &read_variances_.change() : nullptr;
  parallel_for(weights.rows(), [&](Index i) {
    const auto n = static_cast<std::size_t>(weights.cols());
    std::vector<float> now[2] = {std::vector<float>(n), std::vector<float>(n)}, variance(n);
    for (int device = 0; device < 2; ++device) {
      const std::span<const float> nu = paths_[device].row(i), g = written_[device].row(i);
      if (kind_ == CellKind::resistive) {
        resistive::relax(targets_[device].row(i), g, nu, std::min(age_s, oldest()), now[device]);  // erased: any age
      } else {
        for (std::size_t j = 0; j < n; ++j) now[device][j] = log_time * nu[j];
        vector_exp(now[device], now[device]);
        for (std::size_t j = 0; j < n; ++j) now[device][j] *= g[j];
      }
      stick(device, i, now[device]);
    }
    for (std::size_t j = 0; j < n; ++j) {
      weights.row(i)[j] = now[0][j] - now[1][j];
      conductances.row(i)[j] = now[0][j] + now[1][j];
    }
    if (read_variances == nullptr) return;
    std::vector<float> held(n);  // what was written, where the device took it
    for (int device = 0; device < 2; ++device) {
      std::ranges::copy(written_[device].row(i), held.begin());
      stick(device, i, held);
      phase_change::read_variance(held, now[device], age_s, variance);
      for (std::size_t j = 0; j < n; ++j)
        read_variances->row(i)[j] = (device == 0 ? 0.0f : read_variances->row(i)[j]) + variance[j];
    }
  });
}

}  // namespace lightloop::crossbar
