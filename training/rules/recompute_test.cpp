// Rules that may make a pass again instead of keeping its activities: the same bits, more passes.
#include <catch2/catch.hpp>

#include "training/rules/bench_for_tests.hpp"

using namespace lightloop;

TEST_CASE("Forward-Forward, PEPITA and perturbing rules: activities made again give the same bits as activities kept") {
  for (const char* name : {"ff", "pepita", "node_perturbation", "forward_gradient", "reinforce"})
    for (const bool deep : {false, true}) {
      Bench bench;
      const Activation f = name == std::string("reinforce") ? Activation::tanh : Activation::relu;
      if (deep) bench.net = Network({9, 12, 24, 17, 13, 5}, f);
      if (deep) bench.net.initialise(6);
      MatrixFeedback feedback(5, 9);
      const auto kept = bench.make(name, &feedback), again = bench.make(name, &feedback, {{"recompute", true}});
      INFO(name << (deep ? ", deep" : ""));
      for (std::uint64_t step = 0; step < 3; ++step) {
        CHECK(bench.gradient(*kept, step) == bench.gradient(*again, step));
        CHECK(kept->loss() == again->loss());
        const auto a = kept->own().gradient, b = again->own().gradient;
        CHECK(std::vector<float>(a.begin(), a.end()) == std::vector<float>(b.begin(), b.end()));
      }
      const Index hidden = bench.net.hidden_layers();
      const Index climbs = name == std::string("forward_gradient") ? hidden * (hidden - 1) / 2 : 0;
      CHECK(again->touched().passes == kept->touched().passes + 12 * (hidden + climbs));
      CHECK(again->touched().passes == again->declared(bench.net, 12).passes);
    }
}

TEST_CASE("several directions and both sides of a perturbation meet the same activities, made again or kept") {
  const Settings several{{"directions", std::int64_t{3}}};
  Settings sided = several, weights = several, ntk = several;
  sided["two_sided"] = true;
  weights["space"] = std::string("weights");
  weights["guess"] = std::string("gaussian");
  ntk["guess"] = std::string("ntk");
  for (const auto& [name, settings] : {std::pair{"node_perturbation", sided}, std::pair{"forward_gradient", weights},
                                       std::pair{"forward_gradient", ntk}}) {
    Bench bench(Network({9, 12, 24, 17, 13, 5}, Activation::tanh));
    Settings lean = settings;
    lean["recompute"] = true;
    const auto kept = bench.make(name, nullptr, settings), again = bench.make(name, nullptr, lean);
    for (std::uint64_t step = 0; step < 2; ++step) CHECK(bench.gradient(*kept, step) == bench.gradient(*again, step));
    CHECK(again->touched().passes == again->declared(bench.net, 12).passes);
  }
}
