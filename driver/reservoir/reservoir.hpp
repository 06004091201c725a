#pragma once
// What every reservoir is to the parts above it: a machine with memory that takes inputs and gives node states.
#include "core/array.hpp"

namespace lightloop {

/// A driven dynamical system read at its nodes. Implemented by the time-multiplexed device (DelayReservoir) and by the
/// digital baseline (EchoState), so that metrics, tasks and closed loops cannot tell them apart.
class Reservoir {
 public:
  virtual ~Reservoir() = default;
  virtual Index inputs() const = 0;  ///< channels of one input
  virtual Index nodes() const = 0;   ///< numbers in one state
  /// Back to the state after opening. Noise goes on: a second run after a reset() is a repeat, not a copy.
  virtual void reset() = 0;
  /// Drives T inputs `u` (T, inputs) and writes the state after each, `states` (T, nodes); goes on from where the last
  /// run() ended, so that two runs give what one of their joint length would. Throws ShapeMismatch.
  virtual void run(View<const double> u, View<float> states) = 0;
};

/// Throws ShapeMismatch unless u is (T, inputs) and states (T, nodes). Implementations call it first.
void check_run(const Reservoir& reservoir, View<const double> u, View<float> states);

/// The state as float64 rows of one run after `washout` inputs whose states are thrown away: (T - washout, nodes). The
/// reservoir is reset first. Throws OutOfRange when nothing would be left.
Matrix<double> collect(Reservoir& reservoir, View<const double> u, Index washout);

}  // namespace lightloop
