#include "driver/backends/plugin/plugin.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <lightloop/plugin.hpp>
#include <limits>
#include <set>

#include "driver/api/conformance.hpp"
#include "driver/api/description.hpp"
#include "driver/api/energy.hpp"
#include "driver/api/fake_device_test.hpp"
#include "driver/backends/plugin/library.hpp"

namespace lightloop {
namespace {
using Catch::Matchers::Contains;
using test::FakeDevice;
using test::FakeOptions;

/// The fake device behind the C++ shim, as somebody outside would write it.
class Behind : public plugin::Device {
 public:
  Behind(const FakeOptions& options, const plugin::Settings& s) : fake_(options, settings(s)) {}

  plugin::Description describe() const override {
    const DeviceInfo& info = fake_.describe();
    const auto format = [](const FrameFormat& f) {
      return plugin::Format{{f.shape.begin(), f.shape.end()}, f.bits, f.meaning};
    };
    plugin::Description d;
    d.kind = info.kind;
    d.serial = "42";
    d.input = format(info.input);
    d.output = format(info.output);
    if (info.program) d.program = format(*info.program);
    for (const AuxFormat& aux : info.aux_inputs) d.aux.push_back({aux.name, aux.bits, aux.rest, aux.help});
    d.stateful = info.stateful;
    d.deterministic = info.deterministic;
    d.repeatable = info.repeatable;
    d.transposed = info.transposed;
    d.max_batch = info.max_batch;
    d.frame_s = info.cost.frame_s;
    d.batch_s = info.cost.batch_s;
    d.program_s = info.cost.program_s;
    d.power_w = info.cost.power_w;
    d.program_j = info.cost.program_j;
    d.pairing = info.pairing == Pairing::counted ? "counted" : "certain";
    return d;
  }
  void run(const lightloop_run& r, lightloop_report& report) override {
    const auto n_aux = static_cast<Index>(fake_.describe().aux_inputs.size());
    ConstFrames in(View<const std::uint8_t>(static_cast<const std::uint8_t*>(r.in), r.frames, r.in_size));
    if (r.aux != nullptr) in.aux = {r.aux, r.frames, n_aux};
    RunOptions options{.first_frame_id = r.first_frame_id};
    options.numbers = r.numbers;
    options.pass = r.transposed ? Pass::transposed : Pass::forward;
    const RunReport said =
        fake_.run(in, Frames(View<std::uint16_t>(static_cast<std::uint16_t*>(r.out), r.frames, r.out_size)), options);
    report.saturated = said.saturated;
    deadline_ns = r.deadline_ns;
  }
  void configure(const plugin::Settings& s) override {
    Settings all = settings(s);
    fake_.configure(all);
  }
  void program(const void* codes, std::int64_t size) override {
    fake_.program(View<const std::uint8_t>(static_cast<const std::uint8_t*>(codes), 1, size));
  }
  void reset() override { fake_.reset(); }
  std::string snapshot() const override {
    const auto state = fake_.snapshot();
    return {reinterpret_cast<const char*>(state.data()), state.size()};
  }
  void restore(const std::string& text) override {
    const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    try {
      fake_.restore({bytes, bytes + text.size()});
    } catch (const InvalidParameter& error) {
      throw plugin::Failure(LIGHTLOOP_INVALID, error.what());
    }
  }
  plugin::SelfTest self_test() override { return {true, "a frame\nwent through"}; }
  std::vector<plugin::Monitor> monitors() const override { return {{"temperature", "K", 300}, {"power", "W", 0.5}}; }

  static std::int64_t deadline_ns;

 private:
  static Settings settings(const plugin::Settings& s) {
    return {{"gain", s.real("gain")},
            {"offset", s.integer("offset")},
            {"inverted", s.on("inverted")},
            {"size", s.integer("size")},
            {"seed", s.integer("seed")}};
  }
  FakeDevice fake_;
};
std::int64_t Behind::deadline_ns = 0;

std::vector<plugin::Parameter> parameters() {
  using plugin::integer;
  return {plugin::real("gain", "1", 1.0, 0.5, 4.0, "factor of the product"),
          integer("offset", "1", 20, 0, 40, "added codes, and with a comma"),
          plugin::toggle("inverted", false, "counts down from the highest code"),
          plugin::text("mode", "it's", "it's|quick|slow", "does nothing"),
          integer("size", "1", 6, 6, 8, "inputs").fixed(),
          integer("seed", "1", 5, 0, 1000000000, "of programming errors and noise").fixed()};
}

const lightloop_plugin* table(const FakeOptions& options = {}) {
  static std::vector<plugin::Model> all;
  all = {{"test.fake", "layer", "a fake, to test", "nowhere", parameters(),
          [=](const plugin::Settings& s) { return std::make_unique<Behind>(options, s); }}};
  return plugin::detail::entry(all);
}

std::unique_ptr<Device> open(const lightloop_plugin* from, const Settings& settings = {}) {
  return plugin_host::open_model(plugin_host::models_of(from, "test.so").at(0), settings);
}

/// Opens and runs two frames on a device of a table one function of which has been replaced.
template <class Break>
std::string fate_of(Break&& break_it) {
  lightloop_plugin broken = *table({false, true, true, true, true});
  break_it(broken);
  FrameBuffer in({{6}, 4, ""}, 2), out({{4}, 10, ""}, 2);
  try {
    const auto device = open(&broken);
    device->run(in.frames(), out.frames());
    device->configure({{"gain", 2.0}});
    device->monitors();
    device->self_test();
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}
lightloop_plugin good() { return *table({false, true, true, true, true}); }
}  // namespace

TEST_CASE("plugin: a device behind the C table keeps the contract, whatever it can do") {
  for (int bits = 0; bits < 64; ++bits) {
    const FakeOptions options{bool(bits & 1), bool(bits & 2),  bool(bits & 4),
                              bool(bits & 8), bool(bits & 16), bool(bits & 32)};
    CAPTURE(bits);
    std::set<std::string> failed;
    for (const CheckResult& result : check_device([&](const Settings& s) { return open(table(options), s); }))
      if (result.outcome == CheckResult::Outcome::failed) failed.insert(result.name + ": " + result.detail);
    CHECK(failed == std::set<std::string>{});
  }
}

TEST_CASE("plugin: answers are those of the device itself") {
  const FakeOptions options{};
  const auto through = open(table(options), {{"gain", 2.5}, {"seed", std::int64_t{9}}});
  FakeDevice itself(options, {{"gain", 2.5}, {"seed", std::int64_t{9}}});
  FrameBuffer in({{6}, 4, ""}, 3), a({{4}, 10, ""}, 3), b({{4}, 10, ""}, 3);
  for (Index i = 0; i < 18; ++i) in.frames().set(i / 6, i % 6, static_cast<std::uint32_t>(i % 16));
  const auto said = through->run(in.frames(), a.frames(), {.first_frame_id = 77});
  const auto true_report = itself.run(in.frames(), b.frames(), {.first_frame_id = 77});
  CHECK(std::memcmp(a.frames().data, b.frames().data, 24) == 0);
  CHECK(said.saturated == true_report.saturated);
  CHECK(said.device_j == true_report.device_j);
  CHECK(through->self_test().detail == "a frame went through");
  CHECK(through->monitors().at(0).unit == "W");
  CHECK(through->describe().model == "plugin:test.fake");
  CHECK(Behind::deadline_ns == -1);
  through->run(in.frames(), a.frames(), {.deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1)});
  CHECK(Behind::deadline_ns > 50'000'000'000);
  CHECK(Behind::deadline_ns < 60'000'000'001);
}

TEST_CASE("plugin: components that take energy are counted as frames are shown, and older hosts are not told of them") {
  plugin::Description d;
  d.kind = "layer";
  d.input = {{6}, 8, "in"};
  d.output = {{4}, 8, "out"};
  d.program = {{4, 6}, 8, "weights"};
  d.frame_s = 1e-6;
  d.parts = {{"laser", 0, 6e-9}, {"adc", 4, 2e-9, 0, 0, 1e-9, "output"}, {"heaters", 24, 1e-9, 24, 5e-7}};
  const DeviceInfo info = info_from(parse_settings(d.text() + ",model=plugin:test"), "plugin:test");
  REQUIRE(info.cost.parts.size() == 3);
  CHECK(info.cost.power_w == Approx(9e-3));
  CHECK(info.cost.program_j == Approx(5e-7));
  CHECK(info.cost.parts[1].per == CostPer::output);
  EnergyAccount account;
  account.add_frames(info.cost, 10, info.cost.joules(10));
  account.add_program(info.cost);
  REQUIRE(account.parts().size() == 3);  // and no "other"
  CHECK(account.parts()[0].joules == Approx(6e-8));
  CHECK(account.parts()[1].events == 40);
  CHECK(account.parts()[2].joules == Approx(1e-8 + 5e-7));

  plugin::detail::host_minor() = 0;
  const std::string older = d.text();
  plugin::detail::host_minor() = LIGHTLOOP_PLUGIN_MINOR;
  CHECK(older.find("part") == std::string::npos);
  CHECK(info_from(parse_settings(older + ",model=plugin:test"), "plugin:test").cost.power_w == Approx(9e-3));

  d.power_w = 1e-3;  // less than they claim
  CHECK_THROWS_WITH(info_from(parse_settings(d.text() + ",model=plugin:test"), "plugin:test"),
                    Contains("more energy than the device"));
}

TEST_CASE("plugin: a table that cannot be used is refused with numbers") {
  const auto refusal = [](auto&& break_it) {
    lightloop_plugin broken = good();
    break_it(broken);
    try {
      plugin_host::models_of(&broken, "x.so");
    } catch (const DeviceError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  CHECK_THAT(refusal([](auto& t) { t.major = 7, t.minor = 3; }),
             Contains("x.so") && Contains("7.3") && Contains("this program has 1.1"));
  CHECK(refusal([](auto& t) { t.minor = 99; }) == "accepted");
  CHECK_THAT(refusal([](auto& t) { t.struct_size = 24; }), Contains("24 bytes"));
  CHECK_THAT(refusal([](auto& t) { t.struct_size = 4'000'000'000; }), Contains("4000000000 bytes"));
  CHECK_THAT(refusal([](auto& t) { t.run = nullptr; }), Contains("lacks the function run"));
  CHECK_THAT(refusal([](auto& t) { t.models = [] { return 4'000'000'000u; }; }), Contains("4000000000"));
  CHECK_THAT(refusal([](auto& t) { t.models = []() -> std::uint32_t { throw 1; }; }), Contains("exception"));
  CHECK_THAT(refusal([](auto& t) {
               t.model = [](auto, lightloop_buffer* out, auto) { return lightloop_put_text(out, "name=nodot"); };
             }),
             Contains("nodot"));
  CHECK_THAT(refusal([](auto& t) {
               t.model = [](auto, lightloop_buffer* out, auto) { return lightloop_put_text(out, "name='a.b"); };
             }),
             Contains("quote"));
  CHECK_THAT(refusal([](auto& t) {
               t.models = [] { return 2u; };
               t.model = [](auto, lightloop_buffer* out, auto) { return lightloop_put_text(out, "name=a.b"); };
             }),
             Contains("a.b comes twice"));
  CHECK_THAT(refusal([](auto& t) {
               t.model = [](auto, lightloop_buffer* out, auto) {
                 out->need = std::numeric_limits<std::size_t>::max();
                 return lightloop_status{LIGHTLOOP_OK};
               };
             }),
             Contains("18446744073709551615 bytes"));
  CHECK_THAT(refusal([](auto& t) { t.parameters = [](auto) { return 4'000'000'000u; }; }), Contains("4000000000"));
  CHECK_THAT(refusal([](auto& t) {
               t.parameter = [](auto, auto, lightloop_buffer* out, auto) {
                 return lightloop_put_text(out, "name=a,kind=real,default=5,min=9,max=8");
               };
             }),
             Contains("above max"));
  CHECK_THROWS_AS(plugin_host::models_of(nullptr, "x.so"), DeviceError);
}

TEST_CASE("plugin: fields beyond the library's own table are not read") {
  lightloop_plugin old = *table({false, true, false, true, true});
  old.struct_size = offsetof(lightloop_plugin, configure);
  const auto device = open(&old);
  CHECK_THROWS_AS(device->configure({{"gain", 2.0}}), Unsupported);
  CHECK_NOTHROW(device->configure({{"gain", 1.0}}));
  CHECK_THROWS_AS(device->self_test(), Unsupported);
  CHECK(device->monitors().empty());
}

TEST_CASE("plugin: a device that misbehaves is named, and nothing is lost") {
  CHECK(fate_of([](auto&) {}) == "accepted");
  CHECK_THAT(fate_of([](auto& t) { t.open = [](auto, auto, auto, auto, auto) { return lightloop_status{0}; }; }),
             Contains("plugin:test.fake") && Contains("no device"));
  CHECK_THAT(fate_of([](auto& t) {
               t.open = [](auto, auto, auto, auto, auto) -> lightloop_status { throw std::runtime_error("oops"); };
             }),
             Contains("let an exception cross"));
  CHECK_THAT(fate_of([](auto& t) {
               t.describe = [](auto, lightloop_buffer* out, auto) { return lightloop_put_text(out, "kind=toaster"); };
             }),
             Contains("description of plugin:test.fake"));
  CHECK_THAT(fate_of([](auto& t) {
               t.describe = [](auto, lightloop_buffer* out, auto) {
                 out->data = nullptr;
                 out->need = 12;
                 out->capacity = 1u << 30;
                 return lightloop_status{0};
               };
             }),
             Contains("plugin:test.fake"));
  CHECK_THAT(fate_of([](auto& t) { t.program = nullptr; }), Contains("lacks the function program"));
  CHECK_THAT(fate_of([](auto& t) {
               t.run = [](auto, const lightloop_run* r, auto, auto) {
                 for (std::int64_t i = 0; i < r->frames * r->out_size; ++i)
                   static_cast<std::uint16_t*>(r->out)[i] = 1024;
                 return lightloop_status{0};
               };
             }),
             Contains("returned the code 1024") && Contains("0..1023"));
  CHECK_THAT(fate_of([](auto& t) {
               t.run = [](auto, auto, lightloop_report* report, auto) {
                 report->saturated = 1'000'000;
                 return lightloop_status{0};
               };
             }),
             Contains("1000000 clipped"));
  CHECK_THAT(fate_of([](auto& t) {
               t.run = [](auto, auto, lightloop_report* report, auto) {
                 report->device_s = std::numeric_limits<double>::quiet_NaN();
                 return lightloop_status{0};
               };
             }),
             Contains("nan s"));
  CHECK_THAT(fate_of([](auto& t) {
               t.run = [](auto, auto, auto, lightloop_buffer* error) {
                 error->need = std::numeric_limits<std::size_t>::max();
                 error->data = nullptr;
                 return lightloop_status{12345};
               };
             }),
             Contains("status 12345"));
  CHECK_THAT(fate_of([](auto& t) {
               t.monitors = [](auto, lightloop_buffer* out, auto) { return lightloop_put_text(out, "warm=1"); };
             }),
             Contains("name[unit]=number"));
}

TEST_CASE("plugin: each status is the error it stands for") {
  const auto thrown = [](auto&& run, auto&& expected) {
    lightloop_plugin broken = good();
    broken.run = run;
    const auto device = open(&broken);
    FrameBuffer in({{6}, 4, ""}, 1), out({{4}, 10, ""}, 1);
    try {
      device->run(in.frames(), out.frames());
    } catch (const std::decay_t<decltype(expected)>& error) {
      CHECK_THAT(error.what(), Contains("plugin:test.fake: the lamp is off"));
      return true;
    }
    return false;
  };
#define FAILS_WITH(status) \
  [](auto, auto, auto, lightloop_buffer* error) { return lightloop_fail(status, error, "the lamp is off"); }
  CHECK(thrown(FAILS_WITH(LIGHTLOOP_UNSUPPORTED), Unsupported("", "")));
  CHECK(thrown(FAILS_WITH(LIGHTLOOP_INVALID), InvalidParameter("", "")));
  CHECK(thrown(FAILS_WITH(LIGHTLOOP_OUT_OF_RANGE), OutOfRange("", "")));
  CHECK(thrown(FAILS_WITH(LIGHTLOOP_TIMEOUT), Timeout("", "")));
  CHECK(thrown(FAILS_WITH(LIGHTLOOP_LINK), LinkError("", "")));
  CHECK(thrown(FAILS_WITH(LIGHTLOOP_FRAMES), FrameError("", "")));
  CHECK(thrown(FAILS_WITH(LIGHTLOOP_BUSY), Busy("", "")));
  CHECK(thrown(FAILS_WITH(LIGHTLOOP_FAULT), DeviceError("", "")));
}

TEST_CASE("plugin: files that are no plugins are listed with their reason, and name the way when nothing is found") {
  const auto folder = std::filesystem::temp_directory_path() / ("plugin_test_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "text.so") << "not a library";
  std::ofstream(folder / "readme.txt") << "not looked at";
  ::setenv("LIGHTLOOP_PLUGIN_PATH", (folder.string() + ":/no/such/folder").c_str(), 1);
  const auto all = plugin_host::catalogue();
  Registry registry;
  registry.add_backend("plugin", plugin::backend());
  CHECK_THROWS_WITH(registry.open("plugin:acme.bench"), Contains("acme.bench") && Contains("none found") &&
                                                            Contains("text.so") && Contains("/no/such/folder") &&
                                                            Contains("LIGHTLOOP_PLUGIN_PATH"));
  ::unsetenv("LIGHTLOOP_PLUGIN_PATH");
  std::filesystem::remove_all(folder);
  CHECK(all.models.empty());
  REQUIRE(all.troubles.size() == 2);
  CHECK_THAT(all.troubles[0].problem, Contains("/no/such/folder"));
  CHECK_THAT(all.troubles[1].problem, Contains("text.so"));
  CHECK(plugin_host::catalogue().troubles.empty());
}

}  // namespace lightloop
