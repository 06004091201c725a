#include "training/alignment.hpp"

#include <cmath>
#include <limits>

#include "training/rules/blocks.hpp"
#include "training/rules/chain.hpp"

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

std::vector<double> AlignmentSums::means() const {
  std::vector<double> result;
  for (std::size_t l = 0; l < cosines.size(); ++l)
    result.push_back(counts[l] > 0 ? cosines[l] / counts[l] : std::numeric_limits<double>::quiet_NaN());
  return result;
}

void Alignment::add(const Network& net, const RuleBatch& batch, const Rule& rule, AlignmentSums& sums) {
  const auto hidden = static_cast<std::size_t>(net.hidden_layers());
  sums.cosines.resize(hidden);
  sums.counts.resize(hidden);
  if (rule.active_rows().empty()) return;
  if (net.model())
    back_through_blocks(net, batch.activations, batch.error, exact_, {}, work_);
  else
    walk_back(net, batch.activations, batch.error, net.parameters(), exact_);
  for (std::size_t l = 0; l < hidden; ++l) {
    const View<const float> signal = rule.teaching_signal(static_cast<Index>(l));
    for (Index i = 0; i < signal.rows(); ++i) {
      const double c = cosine(signal.row(i), exact_[l].row(rule.active_rows()[static_cast<std::size_t>(i)]));
      if (!std::isfinite(c)) continue;
      sums.cosines[l] += c;
      sums.counts[l] += 1;
    }
  }
}

}  // namespace lightloop
