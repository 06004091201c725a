#pragma once
// Closed loop: a reservoir that has learnt to predict its next input is fed its own prediction and runs free.
#include "driver/reservoir/reservoir.hpp"
#include "training/readout.hpp"

namespace lightloop {

struct ClosedLoopSettings {
  Index washout = 200;           ///< rows that only wake the reservoir
  double forcing = 1;            ///< alpha, see train_closed_loop(); 1 is plain teacher forcing
  Index rounds = 5;              ///< of training at alpha < 1
  double scale = 1, offset = 0;  ///< the reservoir is given scale * u + offset, the read-out predicts u itself
  double ridge = 1e-6;           ///< relative to the variance of one feature
  bool squares = false;  ///< the read-out sees every second state squared, too (breaks the odd symmetry of tanh)
};

/// The read-out that predicts series(t + 1) from the state after series(t).
///
/// Teacher forcing drives the reservoir with the series itself. Generalised teacher forcing (Hess et al., ICML (2023))
/// drives it with alpha u_true + (1 - alpha) u_own, its own previous prediction mixed in, so that training sees the
/// states that a free run visits while alpha holds their divergence back. A read-out from teacher forcing is made
/// first; each round drives the series again at alpha and learns from those states. Throws OutOfRange and
/// ShapeMismatch.
LinearReadout train_closed_loop(Reservoir& reservoir, View<const double> series, const ClosedLoopSettings& settings);

/// Drives the reservoir with `start` (its last input is the present), then feeds predictions back for `steps` steps:
/// row 0 is the prediction of the first time after `start`. Inputs per run() is one, so a device must take frames of
/// one input (Unsupported otherwise). A run that is not finite any more ends early; its remaining rows hold NaN.
Matrix<double> free_run(Reservoir& reservoir, const LinearReadout& readout, View<const double> start, Index steps,
                        const ClosedLoopSettings& settings);

}  // namespace lightloop
