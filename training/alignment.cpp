#include "training/alignment.hpp"

#include <cmath>
#include <limits>

#include "training/rules/blocks.hpp"
#include "training/rules/chain.hpp"
#include "training/rules/gradient.hpp"

namespace lightloop {
namespace {

double cosine(std::span<const float> a, std::span<const float> b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / std::sqrt(aa * bb);
}

}  // namespace

void AlignmentSums::resize(Index layers) {
  cosines.resize(static_cast<std::size_t>(layers));
  counts.resize(cosines.size());
}

void AlignmentSums::add(std::size_t layer, double cosine) {
  if (!std::isfinite(cosine)) return;
  cosines[layer] += cosine;
  counts[layer] += 1;
}

std::vector<double> AlignmentSums::means() const {
  std::vector<double> result;
  for (std::size_t l = 0; l < cosines.size(); ++l)
    result.push_back(counts[l] > 0 ? cosines[l] / counts[l] : std::numeric_limits<double>::quiet_NaN());
  return result;
}

/// Sums over rows, those of fully connected layers over the rows of the first piece.
void Alignment::exact(const Network& net, const RuleBatch& rows, std::vector<Matrix<float>>& delta,
                      Matrix<float>& gradient) {
  gradient.resize(1, static_cast<Index>(net.parameters().size()));
  if (net.model()) return back_through_blocks(net, rows.activations, rows.error, delta, gradient.flat(), work_);
  walk_back(net, rows.activations, rows.error, net.parameters(), delta, rows.back, rows.map_back);
  for (Index l = 0; l < net.layers(); ++l) {
    const View<const float> signal = l < net.hidden_layers() ? delta[static_cast<std::size_t>(l)].view() : rows.error;
    layer_gradient(net, l, signal, rows.activations.input(l), rows_, gradient.flat());
  }
}

void Alignment::begin(const Network& net, const RuleBatch& rows) {
  rows_ = rows.error.rows();
  exact(net, rows, delta_, gradient_);
}

void Alignment::add_rows(const Network& net, const RuleBatch& rows) {
  exact(net, rows, more_delta_, more_gradient_);
  for (std::size_t i = 0; i < gradient_.flat().size(); ++i) gradient_.flat()[i] += more_gradient_.flat()[i];
}

void Alignment::compare(const Network& net, const Rule& rule, std::span<const float> gradient, AlignmentSums& signals,
                        AlignmentSums& gradients) const {
  signals.resize(net.hidden_layers());
  gradients.resize(net.layers());
  // of a rule with a delay the output learned from another batch than the hidden layers
  const Index compared = rule.taught() ? net.hidden_layers() : net.layers();
  for (Index l = 0; l < compared; ++l) {
    const auto first = static_cast<std::size_t>(net.offset(l));
    const std::size_t end = l + 1 < net.layers() ? static_cast<std::size_t>(net.offset(l + 1)) : gradient.size();
    const std::span<const float> exact = gradient_.flat();
    gradients.add(static_cast<std::size_t>(l),
                  cosine(gradient.subspan(first, end - first), exact.subspan(first, end - first)));
  }
  const std::span<const Index> rows = rule.active_rows();
  if (rows.empty()) return;
  for (std::size_t l = 0; l < delta_.size(); ++l) {
    const View<const float> signal = rule.teaching_signal(static_cast<Index>(l));
    for (Index i = 0; i < signal.rows(); ++i) {
      const Index row = rows[static_cast<std::size_t>(i)];
      if (row < delta_[l].rows()) signals.add(l, cosine(signal.row(i), delta_[l].row(row)));
    }
  }
}

}  // namespace lightloop
