// Nonlinear channel equalisation (Mathews and Lee, IEEE SPL 1 (1994); Jaeger and Haas, Science 304, 78 (2004)):
//   d(n) in {-3, -1, 1, 3} with equal chance,
//   q(n) = .08 d(n+2) - .12 d(n+1) + d(n) + .18 d(n-1) - .1 d(n-2) + .091 d(n-3) - .05 d(n-4) + .04 d(n-5) + .03 d(n-6)
//          + .01 d(n-7),
//   u(n) = q + 0.036 q^2 - 0.011 q^3 + noise, white Gaussian; the SNR is that of u's variance before the noise.
// Given u(..n), recover d(n - delay); symbol error rate.
#include <array>
#include <cmath>

#include "core/random.hpp"
#include "training/tasks/task.hpp"

namespace lightloop {
namespace {

constexpr std::array<double, 10> kTaps = {0.08,  -0.12, 1,    0.18, -0.1,
                                          0.091, -0.05, 0.04, 0.03, 0.01};  // d(n+2)..d(n-7)

Task make(const ParamSet& params) {
  Task task;
  take_split(task, params);
  const Index total = task.washout + task.train + task.test, delay = params.integer("delay");
  const auto seed = static_cast<std::uint64_t>(params.integer("seed"));
  const Stream symbols(seed, 1, Purpose::task_data), noise(seed, 2, Purpose::task_data);
  task.alphabet = {-3, -1, 1, 3};
  const auto d = [&](Index n) {  // n >= -delay - 7
    std::uint32_t word[1];
    symbols.words(0, static_cast<std::uint64_t>(n + delay + 7), word);
    return task.alphabet[word[0] >> 30];
  };
  task.inputs = Matrix<double>(total, 1);
  task.targets = Matrix<double>(total, 1);
  double sum = 0, squares = 0;
  for (Index n = 0; n < total; ++n) {
    double q = 0;
    for (Index i = 0; i < 10; ++i) q += kTaps[static_cast<std::size_t>(i)] * d(n + 2 - i);
    const double u = q + 0.036 * q * q - 0.011 * q * q * q;
    task.inputs(n, 0) = u;
    task.targets(n, 0) = d(n - delay);
    sum += u;
    squares += u * u;
  }
  const double count = static_cast<double>(total), variance = squares / count - (sum / count) * (sum / count);
  const double sd = std::sqrt(variance / std::pow(10.0, params.real("snr_db") / 10));
  for (Index n = 0; n < total; ++n) task.inputs(n, 0) += sd * noise.normal(0, static_cast<std::uint64_t>(n));
  task.score = Score::symbol_error_rate;
  task.baseline_taps = 10;
  task.convention = "d(n - " + std::to_string(delay) +
                    ") in {-3, -1, 1, 3} from u(..n), u = q + 0.036 q^2 - 0.011 q^3 + noise, " +
                    std::to_string(static_cast<int>(std::lround(params.real("snr_db")))) +
                    " dB below the variance of u; fraction of symbols whose nearest level is wrong";
  return task;
}

}  // namespace

TaskModel channel_task() {
  auto params = split_params(200, 4000, 20000);
  params.push_back({"snr_db", "1", 28.0, -20, 200, "variance of the received signal over that of its noise, in dB"});
  params.push_back({"delay", "1", std::int64_t{0}, 0, 100, "symbols that have followed the one to recover"});
  params.push_back({"seed", "1", std::int64_t{1}, 0, 9007199254740992.0, "key of symbols and noise"});
  return {"channel", "equalisation of a nonlinear radio channel with memory", "Jaeger and Haas, Science 304, 78 (2004)",
          params, make};
}

}  // namespace lightloop
