#include "training/metrics/roc.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lightloop {

double area_under_roc(std::vector<ScoredSample> scored) {
  if (std::ranges::any_of(scored, [](const ScoredSample& s) { return std::isnan(s.score); }))
    return std::numeric_limits<double>::quiet_NaN();
  std::ranges::sort(scored, {}, &ScoredSample::score);
  double negatives = 0, positives = 0, won = 0;
  for (std::size_t i = 0; i < scored.size();) {
    double equal_negatives = 0, equal_positives = 0;
    for (const float score = scored[i].score; i < scored.size() && scored[i].score == score; ++i)
      ++(scored[i].positive ? equal_positives : equal_negatives);
    won += equal_positives * (negatives + equal_negatives / 2);
    negatives += equal_negatives;
    positives += equal_positives;
  }
  if (negatives == 0 || positives == 0) return std::numeric_limits<double>::quiet_NaN();
  return won / (negatives * positives);
}

}  // namespace lightloop
