#pragma once
// The memory of a crossbar: pairs of conductances, what was written into them and what they are now.
#include <cstdint>
#include <optional>
#include <span>

#include "core/array.hpp"
#include "core/factor.hpp"
#include "core/param.hpp"
#include "sim/memory/pulsed.hpp"
#include "sim/memory/pulsed_pair.hpp"

namespace lightloop::crossbar {

enum class CellKind { gaussian, phase_change, state_independent, resistive, pulsed };

/// What a write asks of the drivers of pulsed cells.
struct PulseTrains {
  double pulses = 0;   ///< of all cells together
  double longest = 0;  ///< the longest train of every row, one row after the other
};

class Cells {
 public:
  explicit Cells(const ParamSet& params);
  /// Of memory, of one cell.
  static double bytes_per_cell(const ParamSet& params);

  /// Write number 0 erases.
  void write(std::span<const std::uint16_t> codes, float middle, std::uint64_t write_number);
  /// Pulsed cells: (code - middle) pulses to every cell, from where it is.
  void pulse(std::span<const std::uint16_t> codes, float middle, std::uint64_t write_number);
  bool pulsed() const { return kind_ == CellKind::pulsed; }
  const PulsedPairs* pairs() const { return pairs_ ? &*pairs_ : nullptr; }  ///< pulsed, with pulse.pair
  /// Pulsed cells: what the last write() or pulse() sent, erasing and all rounds; before, what writes nominal cells to
  /// half of their range, one of every row to its end.
  const PulseTrains& sent() const { return sent_; }
  void set(View<const float> weights);                              ///< pulsed cells: what was saved
  void set_pairs(View<const float> plus, View<const float> minus);  ///< of pairs
  /// Pairs of conductances that change with time.
  bool drifts() const { return kind_ != CellKind::gaussian && kind_ != CellKind::pulsed; }
  double oldest() const;  ///< age in seconds up to which their law is known
  /// The step of drift at an age; conductances are constant within one.
  static Index step(double age_s);
  static double age_of(Index step);  ///< at which a step begins
  /// Makes weights() and the rest those of a step.
  void age(Index step);

  const Factor& weights() const { return weights_; }                ///< w = (g+ - g-) / g_max, (outputs, inputs)
  const Factor& read_variances() const { return read_variances_; }  ///< of the cell model; empty without one
  Factor& weights() { return weights_; }
  Factor& conductances() { return sums_; }  ///< s = (g+ + g-) / g_max
  Factor& read_variances() { return read_variances_; }

 private:
  void write_pairs(std::span<const std::uint16_t> codes, float middle, std::uint64_t write_number);
  /// Pulses by the nominal law and reading back, from where the cells are; where `those` is empty, or 1.
  void approach(View<const float> target, std::span<const std::uint8_t> those, std::uint64_t write_number,
                std::uint64_t first_round);
  /// Erases pairs whose common part has come to pulse.refresh and writes what they held into one side.
  void refresh(std::uint64_t write_number);
  const Matrix<float>& of_pulses() const { return pairs_ ? pairs_->weights() : pulsed_->weights(); }
  void take_pulsed();
  void apply(View<const std::int32_t> counts, std::uint64_t write_number, std::uint64_t round);
  void fill_paths(Index device, Index row, std::uint64_t stream_row);
  void stick(int device, Index row, std::span<float> g) const;

  CellKind kind_;
  std::uint64_t seed_;
  float error_, stuck_off_, stuck_on_, refresh_;
  Index step_ = -1;
  Factor weights_, sums_, read_variances_;
  std::optional<PulsedCells> pulsed_;
  std::optional<PulsedPairs> pairs_;
  PulseTrains sent_;
  // g+ and g- over g_max and their exponents nu; of resistive cells what they missed their targets by and where to they
  // relax, in spreads
  Matrix<float> written_[2], paths_[2], targets_[2];
};

}  // namespace lightloop::crossbar
