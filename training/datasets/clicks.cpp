// A click log whose law is known, and so the best that a recommender can do.
#include <array>
#include <cmath>

#include "core/random.hpp"
#include "training/datasets/generated.hpp"
#include "training/metrics/roc.hpp"

namespace lightloop {
namespace {

constexpr std::size_t kFields = 6, kValues = 40, kFactors = 4;
constexpr std::uint64_t kLaw = 0x636c69636b73, kTrain = kLaw + 1, kTest = kLaw + 2;  // instances of this set alone
// Assumed: half of the spread of the log-odds in single values, half in pairs; a quarter of the samples are clicks.
constexpr double kOwn = 0.5, kPair = 0.4, kOffset = -1.3;

struct Law {
  std::array<std::array<double, kValues>, kFields> own;
  std::array<std::array<std::array<double, kFactors>, kValues>, kFields> factors;
};

Law draw_law(std::uint64_t seed) {
  const Stream stream(seed, kLaw, Purpose::task_data);
  Law law;
  for (std::size_t f = 0; f < kFields; ++f)
    for (std::size_t v = 0; v < kValues; ++v) {
      const std::uint64_t row = f * kValues + v;
      law.own[f][v] = kOwn * stream.normal(row, 0);
      for (std::size_t k = 0; k < kFactors; ++k) law.factors[f][v][k] = kPair * stream.normal(row, 1 + k);
    }
  return law;
}

Dataset draw_clicks(const Law& law, std::uint64_t seed, std::uint64_t instance, Index samples) {
  const Stream stream(seed, instance, Purpose::task_data);
  Dataset set;
  set.name = "clicks";
  set.source = "drawn from seed " + std::to_string(seed);
  set.sample_shape = {static_cast<Index>(kFields)};
  set.classes = 2;
  set.codes = true;
  set.bytes.resize(samples, static_cast<Index>(kFields));
  std::vector<ScoredSample> scored;
  for (Index i = 0; i < samples; ++i) {
    const auto row = static_cast<std::uint64_t>(i);
    double odds = kOffset;
    std::array<double, kFactors> sum{}, squares{};
    for (std::size_t f = 0; f < kFields; ++f) {
      const auto value = static_cast<std::size_t>(stream.uniform(row, f) * kValues);
      set.bytes(i, static_cast<Index>(f)) = static_cast<std::uint8_t>(f * kValues + value);
      odds += law.own[f][value];
      for (std::size_t k = 0; k < kFactors; ++k) {
        const double factor = law.factors[f][value][k];
        sum[k] += factor;
        squares[k] += factor * factor;
      }
    }
    for (std::size_t k = 0; k < kFactors; ++k) odds += (sum[k] * sum[k] - squares[k]) / 2;
    const bool click = stream.uniform(row, kFields) < 1 / (1 + std::exp(-odds));
    set.labels.push_back(click ? 1 : 0);
    scored.push_back({static_cast<float>(odds), click});
  }
  set.yardstick = {"area under the ROC curve of the law that made the clicks", area_under_roc(scored)};
  return set;
}

}  // namespace

TrainTest make_clicks(std::uint64_t seed, Index train, Index test) {
  const Law law = draw_law(seed);
  return {draw_clicks(law, seed, kTrain, train), draw_clicks(law, seed, kTest, test)};
}

}  // namespace lightloop
