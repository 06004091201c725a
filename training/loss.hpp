#pragma once
// Losses, as the error they send back and the number they report.
#include <cstdint>
#include <span>
#include <string>

#include "core/array.hpp"

namespace lightloop {

enum class Loss { cross_entropy, mse };
Loss loss_from(const std::string& name);

/// out (m, C) = exp(a - log sum exp a), row by row. `out` may be the logits.
void softmax(View<const float> logits, View<float> out);

/// Per-sample error e = dLoss/da_L (m, C), before any division by m: softmax(a) - y, or a - y for MSE (1/2 |a - y|^2).
/// Returns the summed loss of the batch. Throws ShapeMismatch, OutOfRange for a label without an output.
/// Rows whose `counts` is 0 are left out: no error, no loss; an empty `counts` leaves none out.
double output_error(Loss loss, View<const float> logits, std::span<const std::uint8_t> labels, View<float> error,
                    std::span<const std::uint8_t> counts = {});

/// The same for real targets: e = a - t, loss |a - t|^2 / 2.
double value_error(View<const float> outputs, View<const float> targets, View<float> error);

/// What the answers of a batch are held against: one label per row, or one for each of a row's tokens; or real numbers.
struct Targets {
  std::span<const std::uint8_t> labels;
  View<const float> values = {};              ///< (m, d_L); where they are, labels say only how many samples there are
  std::span<const std::uint8_t> counts = {};  ///< of labels: 1 for those that count; empty: all do

  /// Labels, or samples of real numbers, that count.
  Index counted() const;
};
/// output_error() or value_error(), whichever the targets ask for: summed loss of the answers (m, d_L), and their
/// error.
double answer_error(Loss loss, View<const float> answers, const Targets& targets, View<float> error);

}  // namespace lightloop
