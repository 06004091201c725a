// Elementwise functions against the standard library in one run. Goal: tanh >= 8 x a loop over std::tanh.
#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

#include "core/random.hpp"
#include "core/vector_math.hpp"

using namespace lightloop;

namespace {

std::vector<float> arguments() {
  std::vector<float> x(1 << 14);
  Stream(1, 1, Purpose::user).normal(0, 0, x);
  return x;
}

template <void (*f)(std::span<const float>, std::span<float>)>
void bulk(benchmark::State& state) {
  const auto x = arguments();
  std::vector<float> y(x.size());
  for (auto _ : state) {
    f(x, y);
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(x.size()));
}

template <float (*f)(float)>
void one_by_one(std::span<const float> in, std::span<float> out) {
  for (std::size_t i = 0; i < in.size(); ++i) out[i] = f(in[i]);
}

BENCHMARK(bulk<vector_tanh>);
BENCHMARK(bulk<one_by_one<std::tanh>>);
BENCHMARK(bulk<vector_sigmoid>);
BENCHMARK(bulk<vector_exp>);
BENCHMARK(bulk<one_by_one<std::exp>>);
BENCHMARK(bulk<vector_log>);
BENCHMARK(bulk<vector_cos>);
BENCHMARK(bulk<one_by_one<std::cos>>);

}  // namespace
