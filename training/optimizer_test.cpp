#include "training/optimizer.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"

using namespace lightloop;

TEST_CASE("each optimizer follows its textbook recurrence in double precision") {
  constexpr std::size_t n = 40001;  // more than two pieces, with a tail
  const Stream stream(1, 0, Purpose::user);
  for (const char* name : {"sgd", "momentum", "adam"}) {
    OptimizerSettings settings;
    settings.kind = optimizer_from(name);
    OptimizerState state = optimizer_state(settings, Index(n));
    std::vector<float> w(n, 0.5f), g(n);
    std::vector<double> rw(n, 0.5), m(n, 0.0), v(n, 0.0);
    for (int t = 1; t <= 5; ++t) {
      stream.normal(std::uint64_t(t), 0, g);
      optimizer_step(settings, state, 1e-2, g, w);
      for (std::size_t i = 0; i < n; ++i) {
        const double grad = double(g[i]);
        if (settings.kind == OptimizerKind::sgd) rw[i] -= 1e-2 * grad;
        if (settings.kind == OptimizerKind::momentum) rw[i] -= 1e-2 * (m[i] = 0.9 * m[i] + grad);
        if (settings.kind == OptimizerKind::adam) {
          m[i] = 0.9 * m[i] + 0.1 * grad;
          v[i] = 0.999 * v[i] + 0.001 * grad * grad;
          rw[i] -= 1e-2 * (m[i] / (1 - std::pow(0.9, t))) / (std::sqrt(v[i] / (1 - std::pow(0.999, t))) + 1e-8);
        }
      }
    }
    double worst = 0;
    for (std::size_t i = 0; i < n; ++i) worst = std::max(worst, std::fabs(double(w[i]) - rw[i]));
    INFO(name);
    CHECK(worst < 2e-6);
    CHECK(state.steps == 5);
  }
}

TEST_CASE("an update in parts, whatever their order and cuts, gives the bits of the whole") {
  constexpr std::size_t n = 40001;
  const Stream stream(1, 0, Purpose::user);
  for (const char* name : {"sgd", "momentum", "adam"}) {
    OptimizerSettings settings;
    settings.kind = optimizer_from(name);
    OptimizerState whole = optimizer_state(settings, Index(n)), cut = whole;
    std::vector<float> w(n, 0.5f), v = w, g(n);
    for (int t = 1; t <= 3; ++t) {
      stream.normal(std::uint64_t(t), 0, g);
      optimizer_step(settings, whole, 1e-2, g, w);
      const OptimizerStep step(settings, cut, 1e-2, Index(n));
      for (const auto& [first, end] : {std::pair<std::size_t, std::size_t>{33333, n}, {7, 33333}, {0, 7}})
        step.part(Index(first), std::span<const float>(g).subspan(first, end - first),
                  std::span(v).subspan(first, end - first));
    }
    INFO(name);
    CHECK(v == w);
    CHECK(cut.steps == 3);
    for (std::size_t i = 0; i < cut.moments.size(); ++i)
      CHECK(std::ranges::equal(cut.moments[i].flat(), whole.moments[i].flat()));
  }
  OptimizerState none;
  CHECK_THROWS_AS(OptimizerStep({}, none, 1e-2, 3), ShapeMismatch);
}

TEST_CASE("an update gives the same bits with 1 and 2 threads") {
  const std::vector<float> g(50000, 0.3f);
  std::vector<float> w[2];
  for (int i = 0; i < 2; ++i) {
    set_threads(i + 1);
    OptimizerState state = optimizer_state({}, 50000);
    w[i].assign(50000, 1.0f);
    for (int t = 0; t < 3; ++t) optimizer_step({}, state, 1e-3, g, w[i]);
  }
  CHECK(w[0] == w[1]);
}

TEST_CASE("moments that can no longer move a weight become zero instead of denormal") {
  OptimizerState state = optimizer_state({}, 1);
  std::vector<float> w = {1}, g = {1e-3f};
  optimizer_step({}, state, 1e-3, g, w);
  g[0] = 0;
  for (int t = 0; t < 1000; ++t) optimizer_step({}, state, 1e-3, g, w);
  CHECK(state.moments[0](0, 0) == 0.0f);
}

TEST_CASE("schedules follow their formulas") {
  const Schedule constant{.kind = ScheduleKind::constant, .lr = 0.1};
  CHECK(constant.at(99, 100) == 0.1);
  const Schedule cosine{.kind = ScheduleKind::cosine, .lr = 0.1};
  CHECK(cosine.at(0, 100) == Approx(0.1));
  CHECK(cosine.at(50, 100) == Approx(0.05));
  CHECK(cosine.at(25, 100) == Approx(0.05 * (1 + std::sqrt(0.5))));
  CHECK(cosine.at(100, 100) == Approx(0).margin(1e-15));
  const Schedule step{.kind = ScheduleKind::step, .lr = 0.1, .factor = 0.5, .every = 10};
  CHECK(step.at(9, 100) == Approx(0.1));
  CHECK(step.at(10, 100) == Approx(0.05));
  CHECK(step.at(25, 100) == Approx(0.025));
}

TEST_CASE("wrong names and sizes are refused") {
  CHECK_THROWS_AS(optimizer_from("rmsprop"), UnknownName);
  CHECK_THROWS_AS(schedule_from("linear"), UnknownName);
  OptimizerState state = optimizer_state({}, 3);
  std::vector<float> w(4), g(4);
  CHECK_THROWS_AS(optimizer_step({}, state, 1e-3, g, w), ShapeMismatch);
}
