// Rules that may make a pass again instead of keeping its activities: the same bits, more passes.
#include <catch2/catch.hpp>

#include "training/rules/bench_for_tests.hpp"

using namespace lightloop;

TEST_CASE("Forward-Forward and PEPITA: activities made again give the same bits as activities kept") {
  for (const char* name : {"ff", "pepita"})
    for (const bool deep : {false, true}) {
      Bench bench;
      if (deep) bench.net = Network({9, 12, 24, 17, 13, 5}, Activation::relu);
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
      CHECK(again->touched().passes == kept->touched().passes + 12 * hidden);
      CHECK(again->touched().passes == again->declared(bench.net, 12).passes);
    }
}
