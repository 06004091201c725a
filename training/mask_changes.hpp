#pragma once
// Which values of a mask to change, and to what: the draws that learning by trial is made of.
#include <cstdint>
#include <span>
#include <vector>

#include "core/array.hpp"
#include "core/random.hpp"

namespace lightloop {

/// Boolean (0, 1) or ternary (-1, 0, 1) values that are changed a few at a time.
///
/// The value to change is drawn with a weight that grows by 1 / n per trial and is 0 after its own, to the power `bias`
/// (Bueno et al., Optica 5, 756 (2018)); 0: all alike. Randomness: Stream(seed, 0, kRulePerturbation), row = trial + 1
/// (row 0: the start). Throws OutOfRange for fewer than one value or a bias beyond 0 ... 16.
class MaskChanges {
 public:
  MaskChanges(Index values, bool ternary, double bias, std::uint64_t seed);

  /// A mask drawn evenly.
  std::vector<std::int8_t> start() const;
  /// Changes `count` different values of `mask` to others drawn evenly; returns where and what they were, until the
  /// next call. `count` is at most half of the values (at least 1).
  struct Change {
    std::size_t place;
    std::int8_t before;
  };
  std::span<const Change> change(std::span<std::int8_t> mask, std::uint64_t trial, Index count);
  /// Takes back what the last call has changed.
  void take_back(std::span<std::int8_t> mask) const;
  /// Trials since each value was changed, in units of the number of values: all that is remembered.
  std::span<double> waiting() { return waiting_; }
  std::span<const double> waiting() const { return waiting_; }

 private:
  int levels() const { return ternary_ ? 3 : 2; }
  int lowest() const { return ternary_ ? -1 : 0; }
  std::size_t drawn(double u) const;

  bool ternary_;
  double bias_;
  Stream stream_;
  std::vector<double> waiting_, weights_;
  std::vector<Change> changed_;
};

}  // namespace lightloop
