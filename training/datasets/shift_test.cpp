#include "training/datasets/shift.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>

#include "core/error.hpp"
#include "core/threads.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/datasets/digits.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

Dataset images(std::vector<Index> shape) {
  Dataset data;
  data.name = "images";
  data.sample_shape = std::move(shape);
  return data;
}

}  // namespace

TEST_CASE("images move by whole pixels, every shift as often as the others, and what comes in is 0") {
  constexpr Index kHeight = 4, kWidth = 5, kChannels = 2, kSamples = 9000;
  const Dataset data = images({kHeight, kWidth, kChannels});
  Matrix<float> in(kSamples, kHeight * kWidth * kChannels), out(kSamples, in.cols());
  for (Index r = 0; r < kSamples; ++r)
    for (Index i = 0; i < in.cols(); ++i) in(r, i) = float(1 + i);
  shift_images(data, in, 1, 3, 0, out);
  std::map<std::pair<Index, Index>, int> seen;
  for (Index r = 0; r < kSamples; ++r) {
    const auto at = [&](Index y, Index x, Index c) { return out(r, (y * kWidth + x) * kChannels + c); };
    const auto middle = Index(at(1, 2, 0)) - 1;  // never beyond an edge
    const Index dy = 1 - middle / (kWidth * kChannels), dx = 2 - middle / kChannels % kWidth;
    ++seen[{dy, dx}];
    bool right = true;
    for (Index y = 0; y < kHeight; ++y)
      for (Index x = 0; x < kWidth; ++x)
        for (Index c = 0; c < kChannels; ++c) {
          const bool inside = y - dy >= 0 && y - dy < kHeight && x - dx >= 0 && x - dx < kWidth;
          right = right && at(y, x, c) == (inside ? float(1 + ((y - dy) * kWidth + x - dx) * kChannels + c) : 0.0f);
        }
    REQUIRE(right);
  }
  // null: all nine are as likely. Chi-squared of 8 degrees of freedom, two-sided, alpha 0.001: 0.71 to 27.9; seed 3
  REQUIRE(seen.size() == 9);
  double chi = 0;
  for (const auto& [shift, count] : seen) chi += std::pow(count - kSamples / 9.0, 2) / (kSamples / 9.0);
  CHECK(chi > 0.71);
  CHECK(chi < 27.9);
}

TEST_CASE("a shift belongs to the number of the sample, whatever the batch and the threads") {
  const Dataset data = images({6, 6});
  Matrix<float> in(40, 36), whole(40, 36), part(15, 36);
  const Stream values(1, 0, Purpose::user);
  for (Index r = 0; r < 40; ++r) values.normal(std::uint64_t(r), 0, in.row(r));
  const int before = threads();
  set_threads(1);
  shift_images(data, in, 2, 7, 100, whole);
  set_threads(2);
  shift_images(data, in.view().rows(20, 15), 2, 7, 120, part);
  set_threads(before);
  CHECK(std::ranges::equal(part.flat(), whole.flat().subspan(20 * 36, 15 * 36)));
  Matrix<float> far(40, 36);
  shift_images(data, in, 50, 7, 100, far);  // most images are gone
  CHECK(std::ranges::count(far.flat(), 0.0f) > 30 * 36);
}

TEST_CASE("training shifts images as train.shift says, resumes to the same bits and refuses what is no image") {
  TrainTest digits = make_digits(1);
  digits.train = digits.train.some(600);
  digits.test = digits.test.some(200);
  TrainSettings settings{{"train.net", "784-32-10"},
                         {"train.rule", "bp"},
                         {"train.epochs", std::int64_t{2}},
                         {"train.lr", 3e-3},
                         {"train.shift", std::int64_t{1}}};
  const auto run = [&](const TrainSettings& s, const TrainObserver& observer = {}) {
    return train(s, digits, Registry(), observer);
  };
  const TrainResult whole = run(settings);
  TrainSettings plain = settings;
  plain.erase("train.shift");
  CHECK(run(plain).weights_sha256 != whole.weights_sha256);
  const TemporaryFolder folder;
  TrainSettings part = settings;
  part["train.out"] = folder / "run.h5";
  int steps = 0;
  TrainObserver stopping;
  stopping.stop = [&] { return ++steps == 7; };
  CHECK(run(part, stopping).interrupted);
  CHECK(run({{"train.resume", folder / "run.h5"}}).weights_sha256 == whole.weights_sha256);
  settings["train.net"] = "20-32-5";
  CHECK_THROWS_WITH(train(settings, cluster_task(), Registry()), Catch::Contains("no images"));
}
