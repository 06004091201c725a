// What it is worth that a rule works while the device does: gradients of ternary DFA through a device that takes wall
// time (a delay of fault: before every frame), against the same rule that waits, step by step in turn, by the clock.
#include <benchmark/benchmark.h>

#include "core/file.hpp"
#include "core/threads.hpp"
#include "core/timing_for_benchmarks.hpp"
#include "tests/overlap_for_tests.hpp"

using namespace lightloop;

namespace {

constexpr Index kBatch = 128;

void overlap(benchmark::State& state) {
  const Index classes = state.range(0);
  const test::TemporaryFolder folder;
  write_file(folder / "slow.toml", "[delay]\nrate = 1\ntimes = 1000000000\nseconds = 20e-6\n");
  const std::string device = "fault:" + (folder / "slow.toml") + "@sim:opu";
  const std::vector<Index> widths = {784, 1024, 1024, classes};
  const int before = threads();
  set_threads(1);
  test::OnDevice working("tdfa", device, widths, kBatch, false), waiting("tdfa", device, widths, kBatch, true);
  std::vector<double> ratios, overlapped, waited;
  Index batch = 0;
  for (auto _ : state) {
    working.show(batch % 3);
    waiting.show(batch++ % 3);
    const auto seconds = [](test::OnDevice& work) {
      return benchmarks::clock_seconds(CLOCK_MONOTONIC, [&] { work.gradient(); });
    };
    overlapped.push_back(seconds(working));
    waited.push_back(seconds(waiting));
    ratios.push_back(overlapped.back() / waited.back());
  }
  set_threads(before);
  state.counters["overlapped_ms"] = 1e3 * benchmarks::median(overlapped);
  state.counters["waiting_ms"] = 1e3 * benchmarks::median(waited);
  state.counters["ratio"] = benchmarks::median(ratios);
}

/// A device that sleeps, so that it takes wall time and no processor, for about as long as the rule works.
void overlap_of_equals(benchmark::State& state) {
  const std::vector<Index> widths = {16, 1024, state.range(0)};
  const double device_s = static_cast<double>(state.range(1)) * 1e-3;
  const int before = threads();
  set_threads(1);
  const auto on = [&](double seconds, bool waiting) {
    auto work = std::make_unique<test::OnDevice>(
        "dfa", std::make_unique<test::Sleeping>(widths.back(), widths[1], seconds), widths, kBatch, waiting);
    work->show(0);
    return work;
  };
  const auto working = on(device_s, false), waiting = on(device_s, true), alone = on(0, true);
  std::vector<double> overlapped, waited, digital, ratios;
  for (auto _ : state) {
    const auto seconds = [](test::OnDevice& work) {
      return benchmarks::clock_seconds(CLOCK_MONOTONIC, [&] { work.gradient(); });
    };
    digital.push_back(seconds(*alone));
    overlapped.push_back(seconds(*working));
    waited.push_back(seconds(*waiting));
    ratios.push_back(overlapped.back() / waited.back());
  }
  set_threads(before);
  state.counters["digital_ms"] = 1e3 * benchmarks::median(digital);
  state.counters["overlapped_ms"] = 1e3 * benchmarks::median(overlapped);
  state.counters["waiting_ms"] = 1e3 * benchmarks::median(waited);
  state.counters["ratio"] = benchmarks::median(ratios);
}

/// Steps of training, digital part and device of equal length: one after the other, or with rule.delay = 1 side by
/// side. Wall time of each over the longer of the two.
void pipeline(benchmark::State& state) {
  const std::vector<Index> widths = {784, 1024, 1024, 10};
  const double device_s = static_cast<double>(state.range(0)) * 1e-3;
  const int before = threads();
  set_threads(1);
  const auto on = [&](double seconds, std::int64_t delay) {
    return std::make_unique<test::OnDevice>("dfa", std::make_unique<test::Sleeping>(widths.back(), widths[1], seconds),
                                            widths, kBatch, false, Settings{{"delay", delay}});
  };
  const auto together = on(device_s, 1), prompt = on(device_s, 0), alone = on(0, 0);
  std::vector<double> pipelined, waited, digital, ratios, over_longest;
  Index batch = 0;
  for (auto _ : state) {
    constexpr int kSteps = 10;  // a pipeline fills and empties once
    const auto seconds = [&](test::OnDevice& work) {
      return benchmarks::clock_seconds(CLOCK_MONOTONIC,
                                       [&] {
                                         for (int i = 0; i < kSteps; ++i) work.step((batch + i) % 3);
                                         work.drain();
                                       }) /
             kSteps;
    };
    digital.push_back(seconds(*alone));
    pipelined.push_back(seconds(*together));
    waited.push_back(seconds(*prompt));
    ratios.push_back(pipelined.back() / waited.back());
    over_longest.push_back(pipelined.back() / std::max(digital.back(), device_s));
    ++batch;
  }
  set_threads(before);
  state.counters["digital_ms"] = 1e3 * benchmarks::median(digital);
  state.counters["pipelined_ms"] = 1e3 * benchmarks::median(pipelined);
  state.counters["waiting_ms"] = 1e3 * benchmarks::median(waited);
  state.counters["ratio"] = benchmarks::median(ratios);
  state.counters["over_longest"] = benchmarks::median(over_longest);
}

BENCHMARK(pipeline)->ArgNames({"device_ms"})->Arg(20)->Arg(60)->Arg(200)->Iterations(8)->UseRealTime();
BENCHMARK(overlap_of_equals)
    ->ArgNames({"classes", "device_ms"})
    ->Args({1000, 5})
    ->Args({1000, 10})
    ->Iterations(40)
    ->UseRealTime();
BENCHMARK(overlap)->ArgNames({"classes"})->Arg(10)->Arg(250)->Iterations(20)->UseRealTime();

}  // namespace
