// Rules behind physics that is known here and not to them: what their weights see, and that slopes through it are
// measured.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "core/error.hpp"
#include "training/evaluate.hpp"
#include "training/rules/bench_for_tests.hpp"

using namespace lightloop;

namespace {

/// y = M_l x in front of every layer.
struct LinearMaps {
  explicit LinearMaps(const Network& net) {
    for (Index l = 0; l < net.layers(); ++l) {
      const Index n = net.weights(l).cols();
      Matrix<float>& m = matrices.emplace_back(n, n);
      const Stream stream(7, std::uint64_t(l), Purpose::user);
      for (Index i = 0; i < n; ++i) stream.normal(std::uint64_t(i), 0, m.row(i));
      for (float& v : m.flat()) v /= std::sqrt(float(n));
    }
  }
  PhysicalMap map() {
    return [this](Index l, View<const float> in, View<float> out) {
      const Matrix<float>& m = matrices[std::size_t(l)];
      shown += in.rows();
      for (Index r = 0; r < in.rows(); ++r)
        for (Index i = 0; i < m.rows(); ++i) {
          double sum = 0;
          for (Index j = 0; j < m.cols(); ++j) sum += double(m(i, j)) * double(in(r, j));
          out(r, i) = float(sum);
        }
    };
  }
  /// W_l M_l: the network that computes the same in one product.
  Network joined(const Network& net) const {
    Network all = net;
    for (Index l = 0; l < net.layers(); ++l) {
      const Matrix<float>& m = matrices[std::size_t(l)];
      for (Index i = 0; i < net.weights(l).rows(); ++i)
        for (Index j = 0; j < m.cols(); ++j) {
          double sum = 0;
          for (Index k = 0; k < m.rows(); ++k) sum += double(net.weights(l)(i, k)) * double(m(k, j));
          all.weights(l)(i, j) = float(sum);
        }
    }
    return all;
  }
  std::vector<Matrix<float>> matrices;
  Index shown = 0;
};

std::unique_ptr<Rule> make(const Network& net, const std::string& name, Settings settings, Feedback* feedback,
                           PhysicalMap map) {
  const RuleModel& model = rule(name);
  ParamSet params("rule " + name, model.info.params);
  params.set(settings);
  return model.make({.net = net, .seed = 1, .params = params, .feedback = feedback, .map = std::move(map)});
}

/// What makes rules comparable: no decay or limit of the norm of W, which is not that of W M.
Settings plain(const std::string& name) {
  Settings settings;
  for (const ParamInfo& param : rule(name).info.params)
    if (param.name.ends_with("decay") || param.name == "clip") settings[param.name] = 0.0;
  if (!settings.empty()) return settings;
  if (name == "forward_gradient") return {{"difference", 0.01}};
  if (name == "pepita") return {{"shows", "input"}};
  return {};
}

}  // namespace

TEST_CASE("behind linear physics every rule with passes of its own learns as one network, M before W, would by it") {
  // With a = (W M) h the gradient by W is (dL/d(W M)) M^T, whatever the rule takes for dL/da.
  int compared = 0;
  for (const RuleModel& model : rules()) {
    const std::string& name = model.info.name;
    if (!model.info.maps || !model.info.own_forward || model.info.trials || model.info.keeps_net) continue;
    if (model.info.crosses_maps) continue;  // tests/physical_layers_test.cpp
    INFO(name);
    Bench behind;
    LinearMaps physics(behind.net);
    Bench whole;
    whole.net = physics.joined(behind.net);
    MatrixFeedback feedback(5, model.info.projects_to == ProjectTo::input ? 9 : 24);
    Settings alone = plain(name);
    if (name == "phyll") alone["map"] = std::string("none");
    if (name == "forward_gradient") alone.clear();  // nothing is measured
    const auto with = make(behind.net, name, plain(name), &feedback, physics.map());
    const auto without = make(whole.net, name, alone, &feedback, {});
    const std::vector<float> found = behind.gradient(*with), joined = whole.gradient(*without);
    CHECK(physics.shown == with->touched().passes - (name == "ccl" ? 2 * 5 : 0));  // its second net is on the host
    CHECK(with->touched().passes <= with->declared(behind.net, 12).passes);
    Index most = 0;
    for (Index l = 0; l < 3; ++l) most += with->shown_to_layer(behind.net, l, 12);
    CHECK(physics.shown <= most);
    CHECK(with->loss() == Approx(without->loss()).epsilon(1e-4));
    for (Index l = 0; l < 3; ++l) {
      if (name == "auglocal" && l == 1) continue;  // the output layer is its head only where nothing is in between
      const auto at = std::size_t(behind.net.offset(l));
      const Index outputs = behind.net.weights(l).rows(), inputs = behind.net.weights(l).cols();
      const Matrix<float>& m = physics.matrices[std::size_t(l)];
      double wrong = 0, size = 0;
      for (Index i = 0; i < outputs; ++i)
        for (Index k = 0; k < inputs; ++k) {
          double expected = 0;
          for (Index j = 0; j < inputs; ++j)
            expected += double(joined[at + std::size_t(i * inputs + j)]) * double(m(k, j));
          const double g = double(found[at + std::size_t(i * inputs + k)]);
          wrong += (g - expected) * (g - expected);
          size += expected * expected;
        }
      INFO("layer " << l);
      REQUIRE(size > 0);
      CHECK(std::sqrt(wrong / size) < (name == "forward_gradient" ? 3e-3 : 1e-4));
      for (Index i = 0; i < outputs; ++i)
        CHECK(found[at + std::size_t(outputs * inputs + i)] ==
              Approx(joined[at + std::size_t(outputs * inputs + i)]).epsilon(5e-3).margin(1e-4));
    }
    ++compared;
  }
  CHECK(compared >= 11);
}

TEST_CASE("AugLocal of depth 1 behind physics is local heads: the last hidden layer has one too") {
  Bench bench;
  LinearMaps physics(bench.net);
  const auto augmented = make(bench.net, "auglocal", {{"depth", std::int64_t{1}}}, nullptr, physics.map());
  const auto local = make(bench.net, "local", {}, nullptr, physics.map());
  REQUIRE(augmented->own().values.size() == local->own().values.size());
  std::ranges::copy(augmented->own().values, local->own().values.begin());
  const std::vector<float> a = bench.gradient(*augmented), b = bench.gradient(*local);
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == Approx(b[i]).epsilon(1e-4).margin(1e-6));
  for (std::size_t i = 0; i < local->own().gradient.size(); ++i)
    CHECK(augmented->own().gradient[i] == Approx(local->own().gradient[i]).epsilon(1e-4).margin(1e-6));
}

TEST_CASE("a read-out sees what physics makes of the last features, and a mask is tried on one showing of them") {
  for (const char* name : {"mask", "ridge"}) {
    INFO(name);
    Bench behind(Network({9, 5}, Activation::tanh));
    LinearMaps physics(behind.net);
    Bench shown(behind.net);
    physics.map()(0, behind.x, shown.activations.h[0]);
    physics.shown = 0;
    const auto with = make(behind.net, name, {}, nullptr, physics.map()),
               without = make(shown.net, name, {}, nullptr, {});
    for (std::uint64_t step = 0; step < 3; ++step) {
      behind.gradient(*with, step);
      shown.gradient(*without, step);
    }
    CHECK(physics.shown == 3 * 12);
    with->settle();
    without->settle();
    CHECK(std::ranges::equal(with->own().values, without->own().values));
    CHECK(std::ranges::equal(with->own().gradient, without->own().gradient));
    Matrix<float> a(12, 5), b(12, 5);
    with->scores(behind.net, behind.x, a, 0);
    without->scores(shown.net, shown.activations.h[0], b, 0);
    CHECK(std::ranges::equal(a.flat(), b.flat()));
  }
}

TEST_CASE("forward gradients measure slopes through physics: their mean is the derivative of the loss behind it") {
  // P(h) = cos(2 M h): smooth, not linear. Null: the mean of the estimates along the true signal is 1. Gaussian
  // guesses, n = 400 steps of 12 samples, seed 1, two-sided, |z| < 3.9 (1e-4).
  Bench bench;
  LinearMaps physics(bench.net);
  const PhysicalMap map = [linear = physics.map()](Index l, View<const float> in, View<float> out) {
    linear(l, in, out);
    for (Index r = 0; r < out.rows(); ++r)
      for (float& v : out.row(r)) v = std::cos(2 * v);
  };
  // The true signal at the inputs of hidden units, in double precision by central differences of the output.
  const auto answer = [&](Index r, Index from, std::vector<double> a) {
    for (Index l = from; l < 2; ++l) {
      const Index n = bench.net.weights(l + 1).cols();
      std::vector<double> seen(std::size_t(n), 0.0), next(std::size_t(bench.net.weights(l + 1).rows()));
      for (Index i = 0; i < n; ++i) {
        for (Index j = 0; j < n; ++j)
          seen[std::size_t(i)] += double(physics.matrices[std::size_t(l) + 1](i, j)) * std::tanh(a[std::size_t(j)]);
        seen[std::size_t(i)] = std::cos(2 * seen[std::size_t(i)]);
      }
      for (std::size_t i = 0; i < next.size(); ++i) {
        next[i] = double(bench.net.bias(l + 1)[i]);
        for (Index j = 0; j < n; ++j) next[i] += double(bench.net.weights(l + 1)(Index(i), j)) * seen[std::size_t(j)];
      }
      a = next;
    }
    double sum = 0;
    for (const double v : a) sum += std::exp(v);
    return std::log(sum) - a[bench.labels[std::size_t(r)]];
  };
  std::vector<std::vector<double>> truth[2];
  for (Index r = 0; r < 12; ++r) {
    std::vector<double> in;
    for (const float v : bench.x.row(r)) in.push_back(double(v));
    for (Index l = 0; l < 2; ++l) {
      const Matrix<float>& m = physics.matrices[std::size_t(l)];
      std::vector<double> a;
      for (Index i = 0; i < bench.net.weights(l).rows(); ++i) {
        double sum = double(bench.net.bias(l)[std::size_t(i)]);
        for (Index j = 0; j < m.rows(); ++j) {
          double seen = 0;
          for (Index k = 0; k < m.cols(); ++k) seen += double(m(j, k)) * in[std::size_t(k)];
          sum += double(bench.net.weights(l)(i, j)) * std::cos(2 * seen);
        }
        a.push_back(sum);
      }
      std::vector<double>& t = truth[l].emplace_back(a.size());
      for (std::size_t i = 0; i < a.size(); ++i) {
        std::vector<double> up = a, down = a;
        up[i] += 1e-5;
        down[i] -= 1e-5;
        t[i] = (answer(r, l, up) - answer(r, l, down)) / 2e-5;
      }
      in.clear();
      for (const double v : a) in.push_back(std::tanh(v));
    }
  }
  const auto rule = make(bench.net, "forward_gradient", {{"guess", "gaussian"}, {"difference", 0.01}}, nullptr, map);
  for (Index l = 0; l < 2; ++l) {
    double sum = 0, squares = 0, n = 0;
    for (std::uint64_t step = 0; step < 400; ++step) {
      bench.gradient(*rule, step);
      for (Index r = 0; r < 12; ++r) {
        const std::vector<double>& t = truth[l][std::size_t(r)];
        const auto found = rule->teaching_signal(l).row(r);
        double along = 0, norm = 0;
        for (std::size_t i = 0; i < t.size(); ++i) {
          along += double(found[i]) * t[i];
          norm += t[i] * t[i];
        }
        sum += along / norm;
        squares += along / norm * (along / norm);
        ++n;
      }
    }
    const double mean = sum / n, error = std::sqrt((squares / n - mean * mean) / n);
    INFO("layer " << l << ": " << mean << " +- " << error);
    CHECK(std::abs(mean - 1) < 3.9 * error);
    // variance of <t, u>^2 / |t|^2 for Gaussian u: 2, and of its estimate, with fourth moment 15 of chi^2: 14 / n
    CHECK(error * error * n == Approx(2).epsilon(3.9 * std::sqrt(14 / n)));
  }
}

TEST_CASE("what a rule would need the derivative of physics for is refused with the reason") {
  Bench bench;
  LinearMaps physics(bench.net);
  MatrixFeedback feedback(5, 9);
  const auto asked = [&](const char* name, const Settings& settings) {
    return make(bench.net, name, settings, &feedback, physics.map());
  };
  CHECK_THROWS_WITH(asked("sff", {{"block", std::int64_t{2}}}), Catch::Contains("derivative"));
  CHECK_THROWS_WITH(asked("pepita", {{"shows", "change"}}), Catch::Contains("rule.shows"));
  CHECK_THROWS_WITH(asked("pepita", {{"recompute", true}}), Catch::Contains("behind physics"));
  CHECK_THROWS_WITH(asked("forward_gradient", {{"recompute", true}}), Catch::Contains("behind physics"));
  CHECK_THROWS_WITH(asked("forward_gradient", {{"space", "weights"}, {"guess", "gaussian"}}), Catch::Contains("spsa"));
  for (const RuleModel& model : rules()) {
    INFO(model.info.name);
    CHECK(model.info.maps == model.info.no_map.empty());
    CHECK((model.info.maps || model.info.no_map.starts_with("the rule ")));
  }
}
