#pragma once
// How well a score tells two classes apart.
#include <vector>

namespace lightloop {

struct ScoredSample {
  float score = 0;
  bool positive = false;
};

/// Area under the receiver operating characteristic: how often a positive sample scores higher than a negative one,
/// ties counting half (Mann-Whitney). NaN where one of the two classes is missing or a score is NaN.
double area_under_roc(std::vector<ScoredSample> scored);

}  // namespace lightloop
