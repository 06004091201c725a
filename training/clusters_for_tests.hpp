#pragma once
// A small task every learning rule must solve.
#include <string>

#include "core/random.hpp"
#include "core/temporary_folder_for_tests.hpp"
#include "training/datasets/dataset.hpp"

namespace lightloop {

/// Noisy points around `classes` random centres in `features` dimensions; labels go round.
inline Dataset clusters(Index samples, std::uint64_t instance, Index features = 20, Index classes = 5) {
  Dataset data;
  data.name = "clusters";
  data.source = "generated";
  data.sample_shape = {features};
  data.classes = classes;
  data.floats = Matrix<float>(samples, features);
  const Stream centres(1, 0, Purpose::user), noise(1, instance, Purpose::user);
  Matrix<float> centre(classes, features);
  for (Index c = 0; c < classes; ++c) centres.normal(std::uint64_t(c), 0, centre.row(c));
  for (Index r = 0; r < samples; ++r) {
    const Index label = r % classes;
    noise.normal(std::uint64_t(r), 0, data.floats.row(r));
    for (Index i = 0; i < features; ++i) data.floats(r, i) = 0.8f * data.floats(r, i) + centre(label, i);
    data.labels.push_back(std::uint8_t(label));
  }
  return data;
}

inline TrainTest cluster_task() { return {clusters(1000, 1), clusters(500, 2)}; }

using test::TemporaryFolder;

}  // namespace lightloop
