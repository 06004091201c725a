// Bulk draws against the standard library, element for element in one run. Goal: normal fill >= 300 M/s on one core and
// >= 10 x std::normal_distribution.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "core/random.hpp"

using namespace lightloop;

namespace {

constexpr std::size_t kCount = 1 << 14;

template <class T, class Fill>
void per_item(benchmark::State& state, Fill fill) {
  std::vector<T> out(kCount);
  std::uint64_t row = 0;
  for (auto _ : state) {
    fill(row++, std::span<T>(out));
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kCount));
}

const Stream stream(1, 2, Purpose::user);

void words(benchmark::State& state) {
  per_item<std::uint32_t>(state, [](auto row, auto out) { stream.words(row, 0, out); });
}
void uniform(benchmark::State& state) {
  per_item<float>(state, [](auto row, auto out) { stream.uniform(row, 0, out); });
}
void normal(benchmark::State& state) {
  per_item<float>(state, [](auto row, auto out) { stream.normal(row, 0, out); });
}
void normal_std(benchmark::State& state) {
  std::mt19937 engine(1);
  std::normal_distribution<float> distribution;
  per_item<float>(state, [&](auto, auto out) {
    for (auto& x : out) x = distribution(engine);
  });
}
void poisson(benchmark::State& state) {
  const std::vector<float> mean(kCount, static_cast<float>(state.range(0)));
  per_item<float>(state, [&](auto row, auto out) { stream.poisson(row, 0, mean, out); });
}
void poisson_fast(benchmark::State& state) {
  const std::vector<float> mean(kCount, static_cast<float>(state.range(0)));
  per_item<float>(state, [&](auto row, auto out) { stream.poisson_fast(row, 0, mean, out); });
}
void poisson_std(benchmark::State& state) {
  std::mt19937_64 engine(1);
  std::poisson_distribution<int> distribution(static_cast<double>(state.range(0)));
  per_item<float>(state, [&](auto, auto out) {
    for (auto& x : out) x = static_cast<float>(distribution(engine));
  });
}
void permutation(benchmark::State& state) {
  per_item<std::uint32_t>(state, [](auto row, auto out) { stream.permutation(row, out); });
}

BENCHMARK(words);
BENCHMARK(uniform);
BENCHMARK(normal);
BENCHMARK(normal_std);
BENCHMARK(poisson)->Arg(1)->Arg(9)->Arg(30)->Arg(1000)->Arg(10000);
BENCHMARK(poisson_std)->Arg(1)->Arg(30)->Arg(1000);
BENCHMARK(poisson_fast)->Arg(1)->Arg(30)->Arg(1000)->Arg(10000);
BENCHMARK(permutation);

}  // namespace
