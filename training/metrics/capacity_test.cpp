#include "training/metrics/capacity.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/random.hpp"
#include "core/threads.hpp"
#include "training/echo_state.hpp"

using namespace lightloop;

namespace {

std::vector<double> uniform(Index n, std::uint64_t seed) {
  std::vector<double> u;
  const Stream stream(seed, 0, Purpose::user);
  for (Index t = 0; t < n; ++t) u.push_back(2 * stream.uniform(0, static_cast<std::uint64_t>(t)) - 1);
  return u;
}

/// Node i holds u(t - i - first).
Matrix<double> delay_line(const std::vector<double>& u, Index nodes, Index first = 1) {
  Matrix<double> x(static_cast<Index>(u.size()), nodes);
  for (Index t = 0; t < x.rows(); ++t)
    for (Index i = 0; i < nodes && i + first <= t; ++i) x(t, i) = u[static_cast<std::size_t>(t - i - first)];
  return x;
}

}  // namespace

TEST_CASE("a delay line of N nodes has memory capacity N, one whole unit per delay") {
  const auto u = uniform(3000, 1);
  MemorySettings settings;
  settings.last_delay = 30;
  const auto found = memory_capacity(delay_line(u, 12), u, settings);
  for (std::size_t k = 0; k < 12; ++k) CHECK(found.at("profile")[k] == Approx(1).epsilon(1e-9));
  // 18 delays beyond: each r^2 has mean 0 after the adjustment and sd sqrt(2) / T_test
  CHECK(found.value == Approx(12).margin(4 * std::sqrt(18 * 2.0) / 1485));
}

TEST_CASE("a leaky linear node remembers (1 - a^2) a^2k") {
  const double a = 0.8;
  const auto u = uniform(40000, 2);
  Matrix<double> x(40000, 1);
  for (Index t = 1; t < 40000; ++t) x(t, 0) = a * x(t - 1, 0) + u[static_cast<std::size_t>(t)];
  MemorySettings settings;
  settings.first_delay = 0;
  settings.last_delay = 20;
  const auto found = memory_capacity(x, u, settings);
  for (int k = 0; k < 8; ++k)
    CHECK(found.at("profile")[static_cast<std::size_t>(k)] == Approx((1 - a * a) * std::pow(a, 2 * k)).margin(0.02));
  CHECK(found.value == Approx(1).margin(0.03));
}

TEST_CASE("information capacity of a delay line is linear, of its products quadratic, and equals the rank") {
  const auto u = uniform(6000, 3);
  CapacitySettings settings;
  settings.delays = {20, 12, 6};
  const auto linear = information_processing_capacity(delay_line(u, 10, 0), u, settings);
  CHECK(linear.at("rank")[0] == 10);
  CHECK(linear.at("degree")[0] == Approx(10).epsilon(1e-9));
  // false positives: 1e-4 of about 150 further targets, so almost surely none
  CHECK(linear.value == Approx(10).margin(0.02));

  Matrix<double> products(6000, 3);
  for (Index t = 2; t < 6000; ++t) {
    const double now = u[static_cast<std::size_t>(t)], one = u[static_cast<std::size_t>(t - 1)],
                 two = u[static_cast<std::size_t>(t - 2)];
    products(t, 0) = now * one;
    products(t, 1) = 1.5 * two * two;
    products(t, 2) = now * one * two;
  }
  const auto found = information_processing_capacity(products, u, settings);
  CHECK(found.at("degree")[0] == Approx(0).margin(0.02));
  CHECK(found.at("degree")[1] == Approx(2).margin(0.02));
  CHECK(found.at("degree")[2] == Approx(1).margin(0.02));
  CHECK(found.at("delay")[2] == Approx(2).margin(0.02));
  CHECK(found.at("targets")[0] == 20 + 12 * 13 / 2 + 6 * 7 * 8 / 6);
}

TEST_CASE("states that know nothing of the input have no capacity, the unthresholded sum is the bias") {
  const auto u = uniform(4000, 4);
  Matrix<double> noise(4000, 20);
  const Stream stream(5, 0, Purpose::user);
  for (Index t = 0; t < 4000; ++t)
    for (Index i = 0; i < 20; ++i)
      noise(t, i) = stream.normal(static_cast<std::uint64_t>(t), static_cast<std::uint64_t>(i));
  CapacitySettings settings;
  settings.delays = {50, 30};
  const auto found = information_processing_capacity(noise, u, settings);
  // Null: T C ~ chi2(20) for each of 515 targets. Kept: Poisson of mean 0.05, P(> 2) = 2e-5.
  CHECK(found.at("kept")[0] <= 2);
  const double bias = found.at("bias")[0], spread = std::sqrt(515 * 2 * 20.0) / 4000;
  CHECK(std::abs(found.at("unthresholded")[0] - bias) < 4 * spread);
}

TEST_CASE("an echo-state network without noise uses its whole rank: total within 2 %, on any number of threads",
          "[law]") {
  EchoStateSettings network;
  network.nodes = 50;
  network.spectral_radius = 0.7;
  network.input_scaling = 0.6;
  network.bias_scaling = 0.5;
  EchoState echo(network);
  const auto u = uniform(40000, 6);
  const View<const double> input(u.data(), 40000, 1);
  const auto x = collect(echo, input, 200);
  CapacitySettings settings;
  settings.tolerance = 1e-4;  // float32 states
  const std::span<const double> driven(u.data() + 200, 39800);
  const auto found = information_processing_capacity(x, driven, settings);
  // every kept target brings its share of chance, rank / T: with some 600 of them 0.8 in all
  INFO(found.value << " of rank " << found.at("rank")[0]);
  CHECK(found.value == Approx(found.at("rank")[0]).epsilon(0.02));
  const int before = threads();
  set_threads(before == 1 ? 2 : 1);
  CHECK(information_processing_capacity(x, driven, settings).value == found.value);
  set_threads(before);
}

TEST_CASE("capacities refuse input they are not defined for") {
  auto u = uniform(500, 7);
  const auto x = delay_line(u, 3);
  CHECK_THROWS_AS(memory_capacity(x, std::span(u).first(100)), ShapeMismatch);
  CHECK_THROWS_AS(information_processing_capacity(x, std::span(u).first(100)), ShapeMismatch);
  u[5] = 1.5;
  CHECK_THROWS_AS(information_processing_capacity(x, u), OutOfRange);
}
