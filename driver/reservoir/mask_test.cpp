#include "driver/reservoir/mask.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "core/error.hpp"
#include "core/stats.hpp"

using namespace lightloop;

namespace {
Matrix<float> mask_of(const std::string& kind, Index nodes, Index inputs = 1, std::uint64_t seed = 1) {
  MaskSettings settings;
  settings.kind = kind;
  settings.seed = seed;
  settings.hold = 3;
  settings.levels = 4;
  return make_mask(nodes, inputs, settings);
}
}  // namespace

TEST_CASE("masks lie in [-1, 1], and equal seeds give equal masks") {
  for (const auto& kind : mask_kinds()) {
    const auto mask = mask_of(kind, 101, 2), same = mask_of(kind, 101, 2);
    CHECK(std::equal(mask.flat().begin(), mask.flat().end(), same.flat().begin()));
    for (const float m : mask.flat()) CHECK(std::abs(m) <= 1);
  }
  CHECK(mask_of("random", 50, 1, 1)(7, 0) != mask_of("random", 50, 1, 2)(7, 0));
}

TEST_CASE("a random mask is uniform, a binary one fair") {
  // Null: U(-1, 1), n = 4000, seed 1, alpha = 1e-3 (KS is two-sided); fair bits: |z| < 3.29.
  auto random = mask_of("random", 4000);
  const double d = ks_statistic(random.flat(), [](double x) { return (x + 1) / 2; });
  CHECK(ks_p_value(d, 4000) > 1e-3);
  const auto binary = mask_of("binary", 4000);
  double sum = 0;
  for (const float m : binary.flat()) {
    CHECK(std::abs(m) == 1);
    sum += static_cast<double>(m);
  }
  CHECK(std::abs(sum) / std::sqrt(4000.0) < 3.29);
}

TEST_CASE("a piecewise mask takes its levels and holds each") {
  const auto mask = mask_of("piecewise", 3000);
  std::set<float> values;
  for (Index i = 0; i < 3000; ++i) {
    values.insert(mask(i, 0));
    CHECK(mask(i, 0) == mask(i - i % 3, 0));
  }
  CHECK(values.size() == 4);
  CHECK(*values.begin() == -1);
  CHECK(*values.rbegin() == 1);
}

TEST_CASE("a chirp crosses zero as often as its frequencies say") {
  MaskSettings settings;
  settings.kind = "chirp";
  settings.first_cycles = 2;
  settings.last_cycles = 10;
  const auto mask = make_mask(1000, 1, settings);
  int crossings = 0;
  for (Index i = 1; i < 1000; ++i) crossings += (mask(i, 0) > 0) != (mask(i - 1, 0) > 0);
  CHECK(std::abs(crossings - 12) <= 1);  // (2 + 10) / 2 cycles, two crossings each; the first may lie on the edge
}

TEST_CASE("impossible masks are refused by name") {
  CHECK_THROWS_AS(mask_of("radnom", 5), UnknownName);
  CHECK_THROWS_AS(mask_of("random", 0), OutOfRange);
  MaskSettings settings;
  settings.levels = 1;
  CHECK_THROWS_AS(make_mask(5, 1, settings), OutOfRange);
}
