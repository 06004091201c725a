#include "training/echo_state.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "training/metrics/eigen.hpp"

using namespace lightloop;

namespace {
Matrix<double> input(Index times, Index channels) {
  Matrix<double> u(times, channels);
  const Stream stream(5, 0, Purpose::user);
  for (Index t = 0; t < times; ++t)
    for (Index k = 0; k < channels; ++k)
      u(t, k) = 2 * stream.uniform(static_cast<std::uint64_t>(t), static_cast<std::uint64_t>(k)) - 1;
  return u;
}
}  // namespace

TEST_CASE("an echo-state network follows its equation") {
  EchoStateSettings settings;
  settings.nodes = 37;
  settings.inputs = 2;
  settings.leak = 0.3;
  settings.connectivity = 0.2;
  EchoState network(settings);
  const auto u = input(20, 2);
  Matrix<float> states(20, 37);
  network.run(u, states);
  const auto w = network.recurrent(), in = network.input();
  std::vector<double> x(37, 0.0), next(37);
  for (Index t = 0; t < 20; ++t) {
    for (Index i = 0; i < 37; ++i) {
      double a = static_cast<double>(in(i, 0)) * u(t, 0) + static_cast<double>(in(i, 1)) * u(t, 1);
      for (Index j = 0; j < 37; ++j) a += static_cast<double>(w(i, j)) * x[static_cast<std::size_t>(j)];
      next[static_cast<std::size_t>(i)] = 0.7 * x[static_cast<std::size_t>(i)] + 0.3 * std::tanh(a);
    }
    x = next;
    for (Index i = 0; i < 37; ++i)
      CHECK(static_cast<double>(states(t, i)) == Approx(x[static_cast<std::size_t>(i)]).margin(3e-6));
  }
}

TEST_CASE("the recurrent weights have the spectral radius asked for, and equal in-degrees") {
  for (const Index nodes : {1, 16, 150}) {
    EchoStateSettings settings;
    settings.nodes = nodes;
    settings.spectral_radius = 0.8;
    settings.connectivity = 0.25;
    const auto w = EchoState(settings).recurrent();
    eigen::Columns dense(nodes, nodes);
    for (Index i = 0; i < nodes; ++i) {
      Index sources = 0;
      for (Index j = 0; j < nodes; ++j) {
        dense(i, j) = static_cast<double>(w(i, j));
        sources += w(i, j) != 0;
      }
      CHECK(sources == std::max<Index>(1, std::llround(0.25 * static_cast<double>(nodes))));
    }
    const double radius = Eigen::EigenSolver<eigen::Columns>(dense, false).eigenvalues().cwiseAbs().maxCoeff();
    CHECK(radius == Approx(0.8).epsilon(2e-3));
  }
}

TEST_CASE("two runs are one run cut in two, and reset goes back to the start") {
  EchoState network(EchoStateSettings{});
  const auto u = input(30, 1);
  Matrix<float> whole(30, 100), parts(30, 100);
  network.run(u, whole);
  network.reset();
  network.run(u.view().rows(0, 11), parts.view().rows(0, 11));
  network.run(u.view().rows(11, 19), parts.view().rows(11, 19));
  CHECK(std::equal(whole.flat().begin(), whole.flat().end(), parts.flat().begin()));
}

TEST_CASE("impossible networks are refused") {
  EchoStateSettings settings;
  settings.leak = 0;
  CHECK_THROWS_AS(EchoState(settings), OutOfRange);
  settings = {};
  settings.nodes = 0;
  CHECK_THROWS_AS(EchoState(settings), OutOfRange);
  EchoState network(EchoStateSettings{});
  Matrix<float> states(5, 100);
  CHECK_THROWS_AS(network.run(input(5, 2), states), ShapeMismatch);
}
