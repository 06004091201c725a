#include "driver/api/conformance.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "core/error.hpp"
#include "driver/api/fake_device_test.hpp"

namespace lightloop {
namespace {
using test::FakeOptions;
using test::Fault;

std::vector<CheckResult> check_fake(const FakeOptions& options) {
  return check_device([=](const Settings& settings) { return std::make_unique<test::FakeDevice>(options, settings); });
}

std::set<std::string> failed(const std::vector<CheckResult>& results) {
  std::set<std::string> names;
  for (const CheckResult& result : results)
    if (result.outcome == CheckResult::Outcome::failed) names.insert(result.name + ": " + result.detail);
  return names;
}
}  // namespace

TEST_CASE("a device that keeps the contract passes every check, whatever it can do") {
  for (int bits = 0; bits < 64; ++bits) {
    const FakeOptions options{bool(bits & 1), bool(bits & 2),  bool(bits & 4),
                              bool(bits & 8), bool(bits & 16), bool(bits & 32)};
    FakeOptions together = options;
    together.ensemble = true;
    const auto results = check_fake(bits % 3 ? options : together);
    CAPTURE(bits);
    CHECK(failed(results) == std::set<std::string>{});
  }
}

TEST_CASE("a device that takes one frame at a time, or a few, passes") {
  for (const Index max_batch : {Index{1}, Index{2}, Index{4}}) {
    for (const bool on : {false, true}) {
      FakeOptions options{on, on, on, on, on};
      options.max_batch = max_batch;
      CAPTURE(max_batch, on);
      CHECK(failed(check_fake(options)) == std::set<std::string>{});
    }
  }
}

TEST_CASE("every fault is found, and every check can fail") {
  std::set<std::string> able;
  for (int i = 1; i <= static_cast<int>(Fault::last); ++i) {
    FakeOptions options;
    options.fault = static_cast<Fault>(i);
    if (options.fault == Fault::pretends_to_program) options.programmable = false;
    options.ensemble = options.fault == Fault::ensemble_of_others;
    if (options.fault == Fault::out_of_order) options.stateful = false;  // whose order is its state
    bool found = false;
    for (const CheckResult& result : check_fake(options)) {
      if (result.outcome != CheckResult::Outcome::failed) continue;
      found = true;
      able.insert(result.name);
      CHECK_FALSE(result.detail.empty());
    }
    INFO("fault number " << i);
    CHECK(found);
  }
  for (const CheckResult& result : check_fake({})) {
    INFO("never seen to fail: " << result.name);
    CHECK(able.count(result.name) == 1);
  }
}

TEST_CASE("a device that cannot be opened fails every check and throws out of none") {
  const auto results = check_device([]() -> std::unique_ptr<Device> { throw LinkError("fake", "no cable"); });
  for (const CheckResult& result : results) CHECK(result.outcome == CheckResult::Outcome::failed);
  CHECK(results.size() > 30);
}

TEST_CASE("a device that can be opened only once at a time passes") {
  int alive = 0;
  struct Counted : test::FakeDevice {
    Counted(const FakeOptions& options, int& count) : FakeDevice(options), alive(count) {
      if (++alive > 1) throw LinkError("fake", "somebody else has it");
    }
    ~Counted() override { --alive; }
    int& alive;
  };
  for (const bool on : {false, true})
    CHECK(failed(check_device([&] {
            return std::make_unique<Counted>(FakeOptions{on, on, on, on, on}, alive);
          })) == std::set<std::string>{});
}

TEST_CASE("a device with the required methods only passes") {
  struct Least : Device {
    Least() {
      info.kind = "projection";
      info.model = "least";
      info.input = info.output = {{3}, 8, "code"};
      info.deterministic = true;
      info.cost = {.frame_s = 1, .power_w = 1};
    }
    const DeviceInfo& describe() const override { return info; }
    const ParamSet& settings() const override { return none; }
    void configure(const Settings& changes) override { changed(changes); }
    RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
      check_open(open);
      check_frames(in, out, options);
      std::copy_n(in.u8().data(), in.count * in.size, out.u8().data());
      return {in.count, in.count * in.size, 0, info.cost.seconds(in.count, 1), info.cost.joules(in.count, 1)};
    }
    void close() override { open = false; }
    DeviceInfo info;
    ParamSet none{"least", {}};
    bool open = true;
  };
  CHECK(failed(check_device([] { return std::make_unique<Least>(); })) == std::set<std::string>{});
}

TEST_CASE("a device that does not repeat its noise is still caught answering out of order or late") {
  FakeOptions options{false, true, true, true, true, false};
  CHECK(failed(check_fake(options)) == std::set<std::string>{});
  options.fault = Fault::out_of_order;
  CHECK(failed(check_fake(options)).size() >= 2);

  struct Late : test::FakeDevice {  // the first answer of a call is the last one of the call before
    using FakeDevice::FakeDevice;
    RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
      const RunReport report = FakeDevice::run(in, out, options);
      for (Index i = 0; in.count > 1 && i < out.size; ++i) {
        const std::uint32_t last = out.at(in.count - 1, i);
        for (Index frame = in.count - 1; frame > 0; --frame) out.set(frame, i, out.at(frame - 1, i));
        out.set(0, i, held.empty() ? 0 : held[static_cast<std::size_t>(i)]);
        if (held.size() < static_cast<std::size_t>(out.size)) held.resize(static_cast<std::size_t>(out.size));
        held[static_cast<std::size_t>(i)] = last;
      }
      return report;
    }
    std::vector<std::uint32_t> held;
  };
  options.fault = Fault::none;
  const auto late = failed(check_device([=] { return std::make_unique<Late>(options); }));
  CHECK(late.size() >= 2);
}

TEST_CASE("checks that do not apply are skipped with a reason") {
  bool skipped = false;
  for (const CheckResult& result : check_fake({false, false, false, false, false})) {
    if (result.outcome != CheckResult::Outcome::skipped) continue;
    skipped = true;
    CHECK_FALSE(result.detail.empty());
  }
  CHECK(skipped);
}

}  // namespace lightloop
