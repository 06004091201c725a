// gemm against one direct cblas_sgemm call of the same process. Reported per shape: the median over alternating runs of
// time(cblas) / time(gemm) on one thread (goal >= 0.9), and of time(1 thread) / time(all threads) (goal: near the
// number of idle processors).
#include <benchmark/benchmark.h>
#include <cblas.h>

#include <chrono>
#include <vector>

#include "core/linalg.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"
#include "core/timing_for_benchmarks.hpp"

using namespace lightloop;
using benchmarks::median, benchmarks::own_seconds;

namespace {

template <class F>
double seconds(F f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void product(benchmark::State& state) {
  const auto m = state.range(0), n = state.range(1), k = state.range(2);
  const bool at = state.range(3) != 0, bt = state.range(4) != 0;
  Matrix<float> a(at ? k : m, at ? m : k), b(bt ? n : k, bt ? k : n), c(m, n);
  Stream(1, 1, Purpose::user).normal(0, 0, a.flat());
  Stream(1, 2, Purpose::user).normal(0, 0, b.flat());
  const auto ours = [&] {
    gemm(at ? Transpose::yes : Transpose::no, bt ? Transpose::yes : Transpose::no, 1, a.view(), b.view(), 0, c);
  };
  const auto theirs = [&] {
    const auto i = [](Index x) { return static_cast<int>(x); };
    cblas_sgemm(CblasRowMajor, at ? CblasTrans : CblasNoTrans, bt ? CblasTrans : CblasNoTrans, i(m), i(n), i(k), 1,
                a.data(), i(a.cols()), b.data(), i(b.cols()), 0, c.data(), i(c.cols()));
  };
  const int all = threads();
  std::vector<double> against, speedup, time;
  for (auto _ : state) {
    set_threads(1);
    const double t = own_seconds(ours), t_blas = own_seconds(theirs);
    const double wall = seconds(ours);
    set_threads(all);
    ours();
    const double wall_all = seconds(ours);
    against.push_back(t_blas / t);
    speedup.push_back(wall / wall_all);
    time.push_back(t);
  }
  state.counters["vs_cblas"] = median(against);
  state.counters["threads_gain"] = median(speedup);
  state.counters["gflops"] =
      2e-9 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) / median(time);
}

BENCHMARK(product)
    ->ArgNames({"m", "n", "k", "at", "bt"})
    ->Args({128, 1024, 784, 0, 0})
    ->Args({128, 1024, 1024, 0, 1})
    ->Args({1024, 1024, 128, 1, 0})
    ->Args({1024, 784, 128, 1, 0})
    ->Args({1024, 1024, 10, 1, 0})
    ->Args({4096, 2048, 10, 0, 0})
    ->Args({128, 10, 1024, 0, 1})
    ->Args({1, 1024, 1024, 0, 0})
    ->Args({1, 1024, 1024, 0, 1})
    ->Args({16, 1024, 1024, 0, 1})
    ->Args({1024, 1024, 1024, 0, 0})
    ->Args({1024, 1024, 1024, 1, 1});

}  // namespace
