// Masks learned by measuring alone, against all masks there are and against a least-squares read-out.
#include "training/mask_learning.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"

using namespace lightloop;

namespace {

/// Mean square of a mask's answer minus what it should be; the answer is the sum of the features let through.
struct Task {
  Index samples, values;
  Matrix<float> x;
  std::vector<double> wanted;
  Task(Index m, Index n, bool ternary) : samples(m), values(n), x(m, n), wanted(std::size_t(m)) {
    const Stream stream(3, 0, Purpose::user);
    for (Index r = 0; r < m; ++r) {
      stream.normal(std::uint64_t(r), 0, x.row(r));
      for (Index i = 0; i < n; ++i)
        wanted[std::size_t(r)] += double(i % (ternary ? 3 : 2) - (ternary ? 1 : 0)) * double(x(r, i));
      wanted[std::size_t(r)] += 0.5 * stream.uniform(std::uint64_t(r), 1000);
    }
  }
  double operator()(std::span<const std::int8_t> mask) const {
    double total = 0;
    for (Index r = 0; r < samples; ++r) {
      double answer = 0;
      for (Index i = 0; i < values; ++i) answer += mask[std::size_t(i)] * double(x(r, i));
      total += std::pow(answer - wanted[std::size_t(r)], 2) / double(samples);
    }
    return total;
  }
};

}  // namespace

TEST_CASE("a learned mask is as good as the best of all masks, greedy or with many flips, Boolean or ternary") {
  for (const bool ternary : {false, true})
    for (const Index flips : {Index{1}, Index{3}}) {
      const Index n = ternary ? 7 : 10;
      const Task task(40, n, ternary);
      double best = 1e30;
      const int levels = ternary ? 3 : 2;
      std::vector<std::int8_t> mask(static_cast<std::size_t>(n));
      for (int code = 0; code < std::pow(levels, n); ++code) {
        for (int i = 0, rest = code; i < n; ++i, rest /= levels)
          mask[std::size_t(i)] = std::int8_t(rest % levels - (ternary ? 1 : 0));
        best = std::min(best, task(mask));
      }
      const LearnedMask found = learn_mask(n, task, {.ternary = ternary, .flips = flips, .trials = 20 * n}, 1);
      INFO(ternary << " " << flips);
      CHECK(found.loss == Approx(best));
      CHECK(found.loss == task(found.mask));
      CHECK(std::ranges::is_sorted(found.losses, std::greater<>()));
      CHECK(found.evaluations == 20 * n + 1 + 19);
    }
}

TEST_CASE("a large Boolean mask is found in a few visits of each value, and the same seed finds the same") {
  const Task task(200, 60, false);
  const LearnedMask found = learn_mask(60, task, {}, 2);
  CHECK(found.loss < 0.1);  // the mask behind the data leaves 0.08; a random one 15
  CHECK(found.losses.front() > 5);
  CHECK(learn_mask(60, task, {}, 2).mask == found.mask);
  CHECK(learn_mask(60, task, {.trials = 5}, 3).losses.size() == 5);
}

TEST_CASE("what cannot be learned is refused") {
  const auto loss = [](std::span<const std::int8_t>) { return 0.0; };
  CHECK_THROWS_AS(learn_mask(0, loss, {}, 1), OutOfRange);
  CHECK_THROWS_AS(learn_mask(4, loss, {.flips = 3}, 1), OutOfRange);
  CHECK_THROWS_AS(learn_mask(4, loss, {.trials = -1}, 1), OutOfRange);
  for (const double bias : {double(NAN), -1.0, 1e9})
    CHECK_THROWS_AS(learn_mask(4, loss, {.bias = bias}, 1), OutOfRange);
  CHECK_THROWS_AS(learn_mask(
                      4, [](std::span<const std::int8_t>) { return NAN; }, {}, 1),
                  InvalidParameter);
}
