#include "training/metrics/consistency.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/random.hpp"

using namespace lightloop;

namespace {

constexpr Index kTimes = 4000, kNodes = 6;

/// R repeats of independent unit signals in each node, noise of variance `noise[i]` in node i, mixed by a fixed matrix.
std::vector<Matrix<double>> responses(int repeats, const std::vector<double>& noise, bool mixed) {
  const Stream signal(1, 0, Purpose::user), mixing(2, 0, Purpose::user);
  std::vector<Matrix<double>> all;
  for (int r = 0; r < repeats; ++r) {
    const Stream fresh(3, static_cast<std::uint64_t>(r), Purpose::user);
    Matrix<double> x(kTimes, kNodes);
    for (Index t = 0; t < kTimes; ++t) {
      const auto row = static_cast<std::uint64_t>(t);
      double own[kNodes];
      for (Index i = 0; i < kNodes; ++i)
        own[i] = signal.normal(row, static_cast<std::uint64_t>(i)) +
                 std::sqrt(noise[static_cast<std::size_t>(i)]) * fresh.normal(row, static_cast<std::uint64_t>(i));
      for (Index i = 0; i < kNodes; ++i) {
        x(t, i) = mixed ? 10.0 * static_cast<double>(r) : 0;  // a repeat may have its own mean
        for (Index j = 0; j < kNodes; ++j)
          x(t, i) +=
              (mixed ? mixing.normal(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(j)) : i == j) * own[j];
      }
    }
    all.push_back(std::move(x));
  }
  return all;
}

std::vector<View<const double>> views(const std::vector<Matrix<double>>& all) { return {all.begin(), all.end()}; }

}  // namespace

TEST_CASE("consistency is signal over signal plus noise, 1 without noise") {
  const auto clean = responses(2, std::vector<double>(kNodes, 0.0), false);
  CHECK(consistency(views(clean)).value == Approx(1).epsilon(1e-12));
  // variance 1 of the signal, 1/4 of the noise: C = 0.8; standard error of a correlation (1 - C^2) / sqrt(T) per node
  const auto noisy = responses(3, std::vector<double>(kNodes, 0.25), false);
  CHECK(consistency(views(noisy)).value == Approx(0.8).margin(4 * 0.36 / std::sqrt(double(kTimes))));
  auto still = noisy;
  for (auto& one : still)
    for (Index t = 0; t < kTimes; ++t) one(t, 2) = 0.7;
  const auto found = consistency(views(still));
  CHECK(found.at("still")[0] == 1);
  CHECK(std::isnan(found.at("nodes")[2]));
  CHECK(found.value == Approx(0.8).margin(0.03));
}

TEST_CASE("consistency capacity sums signal over signal plus noise of every direction, whatever the mixing") {
  // Theta = sum 1 / (1 + noise) = 2 + 2/2 + 2/10 for any invertible mixing of the nodes
  const std::vector<double> noise = {0, 0, 1, 1, 9, 9};
  for (const bool mixed : {false, true}) {
    const auto theta = consistency_capacity(views(responses(4, noise, mixed)));
    // finite samples: six pairs of independent noise, whitened: sd of the trace about sqrt(4 / (6 T)) ~ 0.013
    CHECK(theta.value == Approx(2 + 1 + 0.2).margin(0.06));
    CHECK(theta.at("spectrum")[0] == Approx(1).margin(1e-3));
  }
  CHECK(consistency_capacity(views(responses(2, std::vector<double>(kNodes, 0.0), true))).value ==
        Approx(6).epsilon(1e-9));
}

TEST_CASE("the assumed noise variance acts as added noise") {
  const auto clean = responses(2, std::vector<double>(kNodes, 0.0), false);
  // each direction: v / (v + 0.5) with v near 1
  CHECK(consistency_capacity(views(clean), 0.5).value == Approx(6 / 1.5).margin(0.05));
}

TEST_CASE("dimensionality counts the directions above the noise, plain PCA counts noise too") {
  // Of 6 directions of signal variance 1, those with noise variance n are seen in the mean of 4 when 1 + n/4 > 2 n/4.
  const auto found = dimensionality(views(responses(4, {0, 0, 0.1, 0.1, 40, 40}, false)));
  CHECK(found.value == 4);
  CHECK(found.at("pca99")[0] >= 2);
  CHECK(dimensionality(views(responses(2, std::vector<double>(kNodes, 0.0), true))).value == 6);
}

TEST_CASE("separability is the distance of class means over noise, its read-out finds what is separable") {
  const Index samples = 400;
  std::vector<std::int64_t> labels;
  std::vector<Matrix<double>> all(3, Matrix<double>(samples, 2));
  const Stream noise(9, 0, Purpose::user);
  for (Index s = 0; s < samples; ++s) labels.push_back(s % 2 ? 7 : -3);
  for (std::size_t r = 0; r < 3; ++r)
    for (Index s = 0; s < samples; ++s)
      for (Index c = 0; c < 2; ++c)
        all[r](s, c) =
            (labels[static_cast<std::size_t>(s)] == 7 ? 4.0 : 0.0) +
            noise.normal(static_cast<std::uint64_t>(s), static_cast<std::uint64_t>(2 * static_cast<Index>(r) + c));
  // |m_a - m_b|^2 = 32, s^2 = 2: d = sqrt(32 / 4)
  const auto found = separability(views(all), labels);
  CHECK(found.value == Approx(std::sqrt(8.0)).epsilon(0.05));
  CHECK(found.at("accuracy")[0] > 0.98);  // Phi(2.83) = 0.9977
  for (Matrix<double>& one : all)
    for (double& v : one.flat()) v = 1e-6 * v + 5;  // a large mean, a small scale: the same states
  CHECK(separability(views(all), labels).at("accuracy")[0] == found.at("accuracy")[0]);
  CHECK_THROWS_AS(separability(views(all), std::vector<std::int64_t>(400, 1)), InvalidParameter);
}

TEST_CASE("one repeat, or repeats of different shapes, are refused") {
  auto all = responses(2, std::vector<double>(kNodes, 0.0), false);
  const auto both = views(all);
  CHECK_THROWS_AS(consistency(std::span(both).first(1)), ShapeMismatch);
  all[1] = Matrix<double>(10, kNodes);
  CHECK_THROWS_AS(dimensionality(views(all)), ShapeMismatch);
}
