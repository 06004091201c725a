#pragma once
// For tests only: a device that answers with its input, at once or after a while, and a server that has some.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "driver/api/fake_device_test.hpp"
#include "driver/api/registry.hpp"

namespace lightloop::test {

/// Holds every EchoDevice of the process back while it is shut, but no longer than a minute.
class Gate {
 public:
  static void shut() { set(true); }
  static void open() { set(false); }
  static void pass() {
    std::unique_lock lock(one().mutex);
    one().moved.wait_for(lock, std::chrono::minutes(1), [] { return !one().is_shut; });
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable moved;
    bool is_shut = false;
  };
  static State& one() {
    static State state;
    return state;
  }
  static void set(bool is_shut) {
    const std::scoped_lock lock(one().mutex);
    one().is_shut = is_shut;
    one().moved.notify_all();
  }
};

/// `size` codes of a byte in, the same out, `delay` seconds later.
class EchoDevice : public Device {
 public:
  explicit EchoDevice(const ParamSet& params) : params_(params) {
    info_.kind = "projection";
    info_.model = "sim:echo";
    info_.input = info_.output = {{static_cast<Index>(params.integer("size"))}, 8, "code"};
    info_.deterministic = true;
    info_.max_batch = 1 << 20;
    info_.cost = {.frame_s = 1e-6, .power_w = 1};
  }
  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }
  void configure(const Settings& changes) override { params_ = changed(changes); }
  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    check_open(open_);
    check_frames(in, out, options);
    Gate::pass();
    std::this_thread::sleep_for(std::chrono::duration<double>(params_.real("delay")));
    std::copy_n(static_cast<const std::byte*>(in.data), in.count * in.size, static_cast<std::byte*>(out.data));
    RunReport report;
    report.frames = in.count;
    report.codes = in.count * in.size;
    report.device_s = info_.cost.seconds(in.count, 1);
    return report;
  }
  Ensemble* ensemble() override { return &members_; }
  void close() override { open_ = false; }

 private:
  /// Member m answers with its input plus m; a member with a delay above 1 s breaks down.
  struct Members : Ensemble {
    void configure_members(const std::vector<Settings>& members) override {
      delays.clear();
      for (const Settings& one : members)
        delays.push_back(one.contains("delay") ? std::get<double>(one.at("delay")) : 0.0);
    }
    RunReport run_members(ConstFrames in, Frames out, const RunOptions&) override {
      RunReport report;
      report.frames = in.count;
      const Index each = in.count / static_cast<Index>(delays.size());
      for (Index m = 0; m < static_cast<Index>(delays.size()); ++m) {
        const bool broken = delays[static_cast<std::size_t>(m)] > 1;
        if (broken) report.failures.push_back({m, "too slow"});
        for (Index i = m * each * in.size; i < (m + 1) * each * in.size; ++i)
          out.set(0, i, broken ? 0u : (in.at(0, i) + static_cast<std::uint32_t>(m)) & 0xFFu);
      }
      return report;
    }
    std::vector<double> delays;
  };
  DeviceInfo info_;
  ParamSet params_;
  Members members_;
  bool open_ = true;
};

/// y = 2 theta x for one number.
class DoublingTwin : public Twin {
 public:
  Index inputs() const override { return 1; }
  Index outputs() const override { return 1; }
  Index parameters() const override { return 1; }
  void program(View<const float> theta) override { theta_ = theta(0, 0); }
  void forward(View<const float> x, View<float> y) const override {
    for (Index r = 0; r < x.rows(); ++r) y(r, 0) = 2 * theta_ * x(r, 0);
  }
  void vjp(View<const float> x, View<const float> grad_y, View<float> grad_x, View<float> grad_theta) const override {
    for (Index r = 0; r < x.rows(); ++r) {
      grad_x(r, 0) = 2 * theta_ * grad_y(r, 0);
      if (!grad_theta.empty()) grad_theta(0, 0) += 2 * x(r, 0) * grad_y(r, 0);
    }
  }
  std::vector<FitParameter> fit_parameters() const override { return {{"theta", "1", theta_, 0.5}}; }

 private:
  float theta_ = 1;
};

inline DeviceModel echo_model() {
  DeviceModel echo;
  echo.name = "echo";
  echo.kind = "projection";
  echo.params = {
      {.name = "size",
       .unit = "1",
       .default_value = std::int64_t{8},
       .min = 1,
       .max = 1e7,
       .help = "codes",
       .needs_reopen = true},
      {.name = "delay", .unit = "s", .default_value = 0.0, .min = 0, .max = 100, .help = "before the answer"}};
  echo.open = [](const ParamSet& params) { return std::make_unique<EchoDevice>(params); };
  echo.twin = [](const ParamSet&) { return std::make_unique<DoublingTwin>(); };
  return echo;
}

/// The models "echo" (with a twin) and "fake".
inline Registry test_registry() {
  Registry registry;
  registry.add(echo_model());
  DeviceModel fake;
  fake.name = "fake";
  fake.kind = "layer";
  fake.params = FakeDevice({}).settings().infos();
  fake.open = [](const ParamSet& params) { return std::make_unique<FakeDevice>(FakeOptions{}, params.all()); };
  registry.add(std::move(fake));
  return registry;
}

}  // namespace lightloop::test
