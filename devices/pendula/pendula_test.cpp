#include "devices/pendula/pendula.hpp"

#include <boost/numeric/odeint/integrate/integrate_adaptive.hpp>
#include <boost/numeric/odeint/stepper/controlled_runge_kutta.hpp>
#include <boost/numeric/odeint/stepper/generation.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_dopri5.hpp>
#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "devices/pendula/chain.hpp"
#include "devices/pendula/params.hpp"
#include "devices/pendula/twin.hpp"

namespace lightloop::pendula {
namespace {

Chain example() {
  return {.frequency = {5, 4, 6, 5.5},
          .coupling = {10, 12, 3, 7},
          .drive = {3, -2, 0, 5},
          .damping = 0.1,
          .drive_rad_s = 5};
}

std::vector<double> start() { return {1.0, -0.5, 0.7, 0.2, 0.1, 0.0, -0.3, 0.4}; }

double energy(const Chain& c, const std::vector<double>& x) {
  const std::size_t n = c.frequency.size();
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double apart = x[(i + 1) % n] - x[i];
    sum += x[n + i] * x[n + i] / 2 + c.frequency[i] * c.frequency[i] * (1 - std::cos(x[i])) +
           c.coupling[i] * apart * apart / 2;
  }
  return sum;
}

}  // namespace

TEST_CASE("without drive and friction the pendula keep their energy") {
  Chain chain = example();
  chain.damping = 0;
  chain.drive.assign(4, 0.0);
  std::vector<double> x = start();
  const double before = energy(chain, x);
  swing(chain, 1e-3, 5000, x);
  CHECK(energy(chain, x) == Approx(before).epsilon(1e-9));  // the error of the step is of order 5 in it
}

TEST_CASE("small swings of equal pendula in step are a cosine, in opposition a faster one") {
  const double w = 5, k = 10;
  const Chain chain{.frequency = {w, w}, .coupling = {k, 0}, .drive = {0, 0}, .damping = 0, .drive_rad_s = 0};
  std::vector<double> together = {1e-4, 1e-4, 0, 0}, against = {1e-4, -1e-4, 0, 0};
  swing(chain, 1e-3, 1000, together);
  swing(chain, 1e-3, 1000, against);
  CHECK(together[0] == Approx(1e-4 * std::cos(w)).epsilon(1e-6));
  CHECK(against[1] == Approx(-1e-4 * std::cos(std::sqrt(w * w + 2 * k))).epsilon(1e-6));
}

TEST_CASE("the classical steps agree with an adaptive method") {
  const Chain chain = example();
  std::vector<double> x = start(), y = start();
  swing(chain, 2.0 / 60, 60, x);
  namespace odeint = boost::numeric::odeint;
  odeint::integrate_adaptive(
      odeint::make_controlled<odeint::runge_kutta_dopri5<std::vector<double>>>(1e-11, 1e-11),
      [&](const std::vector<double>& s, std::vector<double>& d, double t) { chain.slope(s, d, t); }, y, 0.0, 2.0, 1e-3);
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::abs(x[i] - y[i]) < (i < 4 ? 1e-3 : 1e-2));
}

TEST_CASE("the gradient of the steps is that of finite differences") {
  const Chain chain = example();
  const auto end = [](const Chain& c, std::vector<double> x) {  // an arbitrary function of the end
    swing(c, 0.03, 40, x);
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) sum += (1.0 + 0.3 * double(i)) * x[i];
    return sum;
  };
  std::vector<double> g(8);
  for (std::size_t i = 0; i < 8; ++i) g[i] = 1.0 + 0.3 * double(i);
  ChainGradient found{std::vector<double>(12)};
  swing_back(chain, 0.03, 40, start(), g, &found);
  constexpr double h = 1e-6;
  for (std::size_t i = 0; i < 8; ++i) {
    std::vector<double> up = start(), down = start();
    up[i] += h;
    down[i] -= h;
    CHECK(g[i] == Approx((end(chain, up) - end(chain, down)) / (2 * h)).epsilon(1e-6));
  }
  for (std::size_t k = 0; k < 12; ++k) {
    Chain up = chain, down = chain;
    for (const auto& [one, sign] : {std::pair{&up, 1.0}, std::pair{&down, -1.0}}) {
      std::vector<double>& part = k < 4 ? one->frequency : k < 8 ? one->coupling : one->drive;
      part[k % 4] += sign * h;
    }
    CHECK(found.values[k] == Approx((end(up, start()) - end(down, start())) / (2 * h)).epsilon(1e-6).margin(1e-7));
  }
}

TEST_CASE("a gradient over a way too long to keep is refused") {
  ParamSet asked("sim:pendula", params());
  asked.set({{"input.size", std::int64_t{1024}}, {"time_s", 100.0}, {"step_s", 0.02}});
  const auto twin = make_twin(asked);
  Matrix<float> codes(1, 1024), grad(1, 1024);
  std::ranges::fill(codes.flat(), 2048.0f);
  std::ranges::fill(grad.flat(), 1.0f);
  CHECK_THROWS_WITH(twin->vjp(codes, grad, grad, {}), Catch::Contains("5000 x 1024"));
}

TEST_CASE("settings too fast for the steps are refused, and up to there every angle is a number") {
  const auto open = [](const Settings& settings) {
    Registry registry;
    registry.add(model());
    return registry.open("sim:pendula", settings);
  };
  const Settings fast{{"step_s", 0.1}, {"coupling_s2", 1e4}};
  CHECK_THROWS_AS(open(fast), OutOfRange);
  CHECK_THROWS_AS(open({{"step_s", 0.1}, {"damping_s", 100.0}}), OutOfRange);
  CHECK_THROWS_AS(open({{"step_s", 0.1}, {"drive_rad_s2", 1e4}}), OutOfRange);
  ParamSet asked("sim:pendula", params());
  asked.set(fast);
  CHECK_THROWS_WITH(make_twin(asked), Catch::Contains("step_s") && Catch::Contains("rad in a step"));

  // just below the limit, with springs of which one in forty would be negative, for a thousand steps
  const auto device = open({{"step_s", 0.1},
                            {"time_s", 100.0},
                            {"frequency_rad_s", 0.1},
                            {"coupling_s2", 8.0},
                            {"coupling_error", 0.5},
                            {"drive_rad_s2", 5.0},
                            {"input.size", std::int64_t{64}}});
  CHECK(device->self_test().passed);
  FrameBuffer codes(*device->describe().program, 1), in(device->describe().input, 1), out(device->describe().output, 1);
  for (Index i = 0; i < 3 * 64; ++i) codes.frames().set(0, i, 4095);
  for (Index i = 0; i < 64; ++i) in.frames().set(0, i, i % 2 ? 4095 : 0);
  device->program(codes.frames());
  device->run(in.frames(), out.frames());
  Index at_zero = 0;
  for (Index i = 0; i < 64; ++i) at_zero += out.frames().at(0, i) == 0;
  CHECK(at_zero < 64);
}

TEST_CASE("a perturbation changes all frequencies from its frame on, wherever batches are cut, and can be taken back") {
  Registry registry;
  registry.add(model());
  const auto whole = [](std::int64_t n) { return Value(n); };
  const auto device = registry.open("sim:pendula", {{"perturbation", 0.2}, {"perturbation.frame", whole(13)}});
  const auto plain = registry.open("sim:pendula");
  const auto show = [](Device& d, Index first, Index count) {
    FrameBuffer in(d.describe().input, count), out(d.describe().output, count);
    for (Index f = 0; f < count; ++f)
      for (Index j = 0; j < 12; ++j)
        in.frames().set(f, j, static_cast<std::uint32_t>(517 * (3 * (first + f) + 5 * j) % 4096));
    d.run(in.frames(), out.frames(), {.first_frame_id = static_cast<std::uint64_t>(first)});
    std::vector<std::uint32_t> codes;
    for (Index k = 0; k < 12 * count; ++k) codes.push_back(out.frames().at(0, k));
    return codes;
  };
  const auto all = show(*device, 0, 20), was = show(*plain, 0, 20);
  CHECK(std::equal(all.begin(), all.begin() + 13 * 12, was.begin()));
  for (Index f = 13; f < 20; ++f)
    CHECK_FALSE(std::equal(all.begin() + 12 * f, all.begin() + 12 * f + 12, was.begin() + 12 * f));
  auto parts = show(*device, 0, 7);
  for (const auto& [first, count] : {std::pair<Index, Index>{7, 8}, {15, 5}})
    for (const std::uint32_t code : show(*device, first, count)) parts.push_back(code);
  CHECK(parts == all);
  const auto always = registry.open("sim:pendula", {{"perturbation", 0.2}});
  const auto late = show(*always, 13, 7);
  CHECK(std::equal(late.begin(), late.end(), all.begin() + 13 * 12));
  device->configure({{"perturbation", 0.0}});
  CHECK(show(*device, 0, 20) == was);
}

TEST_CASE("angles have the stages of other layers around them: levels, bends, noise at both ends") {
  Registry registry;
  registry.add(model());
  const auto answers = [&](const std::string& settings, std::uint32_t coarse) {
    const auto device = registry.open("sim:pendula,preset=ideal,adc.bits=16" + settings);
    FrameBuffer in(device->describe().input, 20), out(device->describe().output, 20);
    for (Index f = 0; f < 20; ++f)
      for (Index j = 0; j < 12; ++j) {
        const auto code = static_cast<std::uint32_t>(517 * (3 * f + 5 * j) % 3800) | 1u;
        in.frames().set(f, j, coarse > 0 ? (code + coarse / 2) / coarse * coarse : code);
      }
    device->run(in.frames(), out.frames());
    std::vector<double> angle;
    for (Index k = 0; k < 240; ++k) angle.push_back(3 * (out.frames().at(k / 12, k % 12) / 32768.0 - 1));
    return angle;
  };
  CHECK(answers(",dac.levels=17", 0) == answers("", 256));  // 4096 codes, an odd code is never half-way between two
  CHECK(answers(",dac.levels=17", 0) != answers("", 0));
  const auto y = answers("", 0), bent = answers(",s_shape=0.5,asymmetry=0.2", 0), coarse = answers(",adc.levels=31", 0);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double soft = y[i] / (1 + 0.5 * std::abs(y[i]));
    CHECK(bent[i] == Approx(soft < 0 ? 0.8 * soft : soft).margin(2e-4));
    CHECK(std::abs(coarse[i] - y[i]) < 0.1 + 2e-4);  // half of 3 / 15
  }
  CHECK(answers(",input_noise=0.01", 0) != y);
  CHECK(answers(",s_shape=0.5,asymmetry=0.2,read_noise_rad=0.01", 0) != bent);
  CHECK_THROWS_AS(registry.open("sim:pendula,adc.levels=5000"), OutOfRange);
}

}  // namespace lightloop::pendula
