// Updates in pulses where something goes wrong: a device that fails on the way, and weights beyond what cells hold.
#include <catch2/catch.hpp>
#include <cstring>
#include <functional>

#include "core/error.hpp"
#include "core/random.hpp"
#include "devices/catalogue.hpp"
#include "driver/api/registry.hpp"
#include "driver/layer/tiles.hpp"

using namespace lightloop;

namespace {

const std::string kCells =
    "sim:crossbar,cell.kind=constant_step,pulse.step=0.002,pulse.step_spread=0,pulse.asymmetry_spread=0,"
    "pulse.bound_spread=0,pulse.cycle_noise=0,read_noise=0,output_noise=0,adc.bits=16,adc.range=4,dac.bits=12,"
    "input.size=4,output.size=3";

std::unique_ptr<Device> crossbar(const Settings& extra = {}) {
  Registry registry;
  add_devices(registry);
  return registry.open(kCells, extra);
}

/// Asks `before` ahead of every change, which may throw.
class Interrupted : public Device {
 public:
  std::function<void(const std::string&)> before = [](const std::string&) {};

  const DeviceInfo& describe() const override { return device_->describe(); }
  const ParamSet& settings() const override { return device_->settings(); }
  void configure(const Settings& changes) override {
    before("configure");
    device_->configure(changes);
  }
  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    return device_->run(in, out, options);
  }
  void program(ConstFrames codes) override {
    before("program");
    device_->program(codes);
  }
  void reset() override { device_->reset(); }
  std::vector<std::byte> snapshot() const override { return device_->snapshot(); }
  void restore(const std::vector<std::byte>& state) override { device_->restore(state); }
  void close() override { device_->close(); }

 private:
  const std::unique_ptr<Device> device_ = crossbar();
};

Matrix<float> filled(float value) {
  Matrix<float> all(3, 4);
  std::ranges::fill(all.flat(), value);
  return all;
}

const Settings kLimit{{"weight_limit", 1.0}};

/// The weights as the device answers: of unit inputs.
Matrix<float> seen(Layer& layer) {
  Matrix<float> x(4, 4), y(4, 3), w(3, 4);
  for (Index i = 0; i < 4; ++i) x(i, i) = 1;
  layer.forward(x, y);
  for (Index i = 0; i < 3; ++i)
    for (Index j = 0; j < 4; ++j) w(i, j) = y(j, i);
  return w;
}

}  // namespace

TEST_CASE(
    "an update that its device refuses has changed nothing, and one that broke off leaves the layer unprogrammed") {
  auto own = std::make_unique<Interrupted>();
  Interrupted& device = *own;
  Session session(std::move(own), "interrupted");
  Layer layer(session, 4, 3, kLimit);
  layer.program(filled(0.25f));
  const float before = layer.programmed()(0, 0);
  device.before = [](const std::string& what) {
    if (what == "configure") throw Timeout("interrupted", "no mode of pulses");
  };
  CHECK_THROWS_AS(layer.update(filled(0.4f)), Timeout);
  CHECK(layer.programmed()(0, 0) == before);
  device.before = [](const std::string&) {};
  layer.update(filled(0.4f));  // again: once and not twice, to a pulse of 0.002
  CHECK(layer.programmed()(0, 0) == Approx(before + 0.4f).margin(0.003));
  CHECK(seen(layer)(2, 3) == Approx(before + 0.4f).margin(0.004));

  int programmes = 0;  // 200 pulses are two programmes of at most 127
  device.before = [&](const std::string&) {
    if (++programmes == 2) throw Timeout("interrupted", "the second half was not written");
  };
  CHECK_THROWS_AS(layer.update(filled(-0.4f)), Timeout);
  CHECK_THROWS_WITH(layer.programmed(), Catch::Contains("nothing was programmed"));
  CHECK_THROWS_WITH(layer.update(filled(-0.4f)), Catch::Contains("nothing was programmed"));
  Matrix<float> x(1, 4), y(1, 3);
  CHECK_THROWS_WITH(layer.forward(x, y), Catch::Contains("nothing was programmed"));
  layer.program(filled(0.25f));
  CHECK(seen(layer)(0, 0) == Approx(before).margin(0.004));
}

TEST_CASE("a write that broke off leaves the device to no layer, one that was refused leaves it as it was") {
  auto own = std::make_unique<Interrupted>();
  Interrupted& device = *own;
  Session session(std::move(own), "interrupted");
  Layer a(session, 4, 3, kLimit), b(session, 4, 3, kLimit);
  a.program(filled(0.25f));
  device.before = [](const std::string& what) {
    if (what == "program") throw Unsupported("interrupted", "a programme");
  };
  CHECK_THROWS_AS(b.program(filled(0.5f)), Unsupported);
  CHECK(seen(a)(0, 0) == Approx(0.25).margin(0.02));
  device.before = [](const std::string& what) {
    if (what == "program") throw Timeout("interrupted", "half of it was written");
  };
  CHECK_THROWS_AS(b.program(filled(0.5f)), Timeout);
  CHECK_THROWS_WITH(seen(a), Catch::Contains("nobody knows what its device holds"));
  device.before = [](const std::string&) {};
  a.program(filled(0.25f));
  CHECK(seen(a)(0, 0) == Approx(0.25).margin(0.02));
}

TEST_CASE("an update of cells that know no pulses is refused, and the layer answers as before") {
  Registry registry;
  add_devices(registry);
  Session session(registry.open("sim:crossbar,input.size=4,output.size=3"), "sim:crossbar");
  Layer layer(session, 4, 3, kLimit);
  layer.program(filled(0.5f));
  CHECK_THROWS_AS(layer.update(filled(0.4f)), Unsupported);
  CHECK(session.settings().text("program.mode") == "weights");
  CHECK(seen(layer)(1, 2) == Approx(0.5).margin(0.1));
  layer.program(filled(-0.5f));
  CHECK(seen(layer)(1, 2) == Approx(-0.5).margin(0.1));
}

TEST_CASE("weights end where cells do, in the layer as in the device, and the report counts them") {
  Session session(crossbar(), "sim:crossbar");
  Layer layer(session, 4, 3, kLimit);
  layer.program(filled(0.5f));
  Matrix<float> dw = filled(0.0f);
  dw(1, 2) = 0.9f;
  dw(2, 0) = -1.9f;
  layer.update(dw);
  CHECK(layer.report().clipped_updates == 2);
  // a cell holds -1 .. 1 units, codes reach 127/128 of it: of a weight of 1 that is 128/127 and 1
  CHECK(layer.programmed()(1, 2) == Approx(1.0).margin(1e-6));
  CHECK(layer.programmed()(2, 0) == Approx(-128.0 / 127).margin(1e-6));
  const Matrix<float> held = seen(layer);
  CHECK(held(1, 2) == Approx(1.0).margin(0.012));  // the cell itself goes on to 128/127
  CHECK(held(2, 0) == Approx(-128.0 / 127).margin(0.004));
  dw(1, 2) = -0.4f;  // back from the bound, not from beyond it
  dw(2, 0) = 0.4f;
  layer.update(dw);
  CHECK(layer.report().clipped_updates == 2);
  CHECK(layer.programmed()(1, 2) == Approx(0.6).margin(0.003));
  CHECK(seen(layer)(1, 2) == Approx(0.6).margin(0.015));
  CHECK(seen(layer)(2, 0) == Approx(-128.0 / 127 + 0.4).margin(0.006));
}

TEST_CASE("behind soft bounds the programmed weights move as nominal cells do: by what is left of the way") {
  Registry registry;
  add_devices(registry);
  Session session(
      registry.open("sim:crossbar,cell.kind=soft_bounds,preset=ideal,input.size=4,output.size=3,adc.bits=14,"
                    "dac.bits=12,pulse.step=0.002,pulse.step_spread=0,pulse.asymmetry_spread=0,"
                    "pulse.bound_spread=0,pulse.cycle_noise=0"),
      "sim:crossbar");
  Layer layer(session, 4, 3, kLimit);
  for (const float change : {0.1f, -0.3f}) {
    layer.program(filled(0.5f));
    const auto from = static_cast<double>(layer.programmed()(0, 0));
    layer.update(filled(change));
    // n = change / step pulses in units of a cell, (1 - step)^n = exp(-n step) of the way to the bound are left
    const double unit = 128.0 / 127, sign = change > 0 ? 1 : -1, left = std::exp(-std::abs(change) / unit);
    const double wanted = unit * sign * (1 - (1 - sign * from / unit) * left);
    CHECK(layer.programmed()(1, 2) == Approx(wanted).margin(0.003));
    CHECK(seen(layer)(1, 2) == Approx(wanted).margin(0.01));
  }
}

TEST_CASE("cells in pairs move as the programmed weights of nominal ones do, through wear, refresh and a snapshot") {
  for (const std::string kind : {"constant_step", "soft_bounds"})
    for (const std::string refresh : {"0", "0.25"}) {
      INFO(kind << ", refresh " << refresh);
      Registry registry;
      add_devices(registry);
      const std::string device =
          "sim:crossbar,preset=ideal,input.size=4,output.size=3,adc.bits=14,dac.bits=12,pulse.step=0.002,"
          "pulse.step_spread=0,pulse.asymmetry_spread=0,pulse.bound_spread=0,pulse.cycle_noise=0,pulse.pair=true,"
          "pulse.refresh=" +
          refresh + ",cell.kind=" + kind;
      Session session(registry.open(device), device), other(registry.open(device), device);
      Layer layer(session, 4, 3, kLimit), again(other, 4, 3, kLimit);
      layer.program(filled(0.0f));
      const auto agree = [](Layer& one) {
        const Matrix<float> w = seen(one);
        double worst = 0;
        for (Index i = 0; i < 12; ++i)
          worst = std::max(worst, std::abs(double(w.data()[i]) - double(one.programmed().data()[i])));
        CHECK(worst < 0.02);  // converters, and a pulse for each refresh
      };
      for (int k = 0; k < 7; ++k) {
        Matrix<float> dw(3, 4);
        Stream(9, static_cast<std::uint64_t>(k), Purpose::user).uniform(0, 0, dw.flat());
        for (float& v : dw.flat()) v = (k % 2 == 0 ? 0.2f : -0.2f) * v;
        layer.update(dw);
        agree(layer);
      }
      again.program(filled(0.0f));
      other.restore(session.snapshot());
      again.restore(layer.snapshot());
      for (const float change : {0.2f, -0.15f, 0.18f}) {
        layer.update(filled(change));
        again.update(filled(change));
      }
      agree(layer);
      CHECK(std::ranges::equal(layer.programmed().row(1), again.programmed().row(1)));
      CHECK(again.snapshot() == layer.snapshot());
      // worn out: both sides at their bounds, where nothing refreshes them
      for (int k = 0; k < 40; ++k) layer.update(filled(k % 2 == 0 ? 0.3f : -0.3f));
      const float at = layer.programmed()(0, 0);
      layer.update(filled(0.3f));
      const float moved = layer.programmed()(0, 0) - at;
      CHECK((refresh == "0" ? std::abs(moved) < 0.02f : moved > 0.15f));
      agree(layer);
    }
}

TEST_CASE("a snapshot of another version, or with weights that no cell holds, is refused") {
  Session session(crossbar(), "sim:crossbar");
  Layer layer(session, 4, 3, kLimit);
  layer.program(filled(0.5f));
  layer.update(filled(0.25f));
  const std::vector<std::byte> good = layer.snapshot();
  CHECK_NOTHROW(layer.restore(good));
  for (const int version : {0, static_cast<int>(good[0]) + 1}) {
    std::vector<std::byte> other = good;
    other[0] = static_cast<std::byte>(version);
    CHECK_THROWS_WITH(layer.restore(other), Catch::Contains("another version"));
  }
  std::vector<std::byte> broken = good;
  const float beyond = 1.5f;  // twelve targets and twelve weights held stand before two ranges, three flags, a
                              // programme's number and windows
  const std::size_t tail = 2 * sizeof(double) + 3 + sizeof(std::uint64_t) + 5 * sizeof(double);
  std::memcpy(broken.data() + broken.size() - tail - 24 * sizeof(float), &beyond, sizeof beyond);
  CHECK_THROWS_WITH(layer.restore(broken), Catch::Contains("no cell holds"));
}

TEST_CASE("a device that fails leaves range and factor as they were, and its own error is what is told") {
  auto own = std::make_unique<Interrupted>();
  Interrupted& device = *own;
  Session session(std::move(own), "interrupted");
  Layer layer(session, 4, 3, {{"output_range", std::string("learned")}});
  layer.program(filled(0.25f));
  layer.calibrate();
  layer.set_output_factor(0.5);
  const double range = layer.output_range();
  int calls = 0;
  device.before = [&](const std::string& what) {
    if (what == "configure") throw Timeout("interrupted", "range " + std::to_string(++calls));
  };
  CHECK_THROWS_AS(layer.set_output_factor(0.25), Timeout);
  CHECK(layer.output_factor() == 0.5);
  CHECK(layer.output_range() == range);
  calls = 0;
  CHECK_THROWS_WITH(layer.calibrate(), Catch::Contains("range 1"));
  CHECK(layer.output_factor() == 0.5);
  CHECK(layer.output_range() == range);
  CHECK(layer.calibration().done);
}

TEST_CASE("tiles of which one fails keep one factor for all, and no programme that only some have learnt") {
  int left = -1;  // changes before one fails; below 0: none does
  Backend backend([&](const DeviceAddress&, const Registry&) -> std::unique_ptr<Device> {
    auto made = std::make_unique<Interrupted>();
    made->before = [&](const std::string&) {
      if (left-- == 0) throw Timeout("interrupted", "a tile");
    };
    return made;
  });
  backend.many = true;
  backend.twin = [](const DeviceAddress&, const Registry&) {
    Registry sims;
    add_devices(sims);
    return sims.twin(kCells);
  };
  Registry registry;
  registry.add_backend("broken", backend);
  const Settings settings{
      {"output_range", std::string("learned")}, {"update", std::string("programme")}, {"weight_limit", 1.0}};
  TileDevices devices(registry, "broken:cells", {}, settings, {{8, 3}});
  TiledLayer layer(devices, 8, 3, settings);
  REQUIRE(layer.tiles() == 2);
  Matrix<float> w(3, 8), x(5, 8), y(5, 3), g(5, 3);
  std::ranges::fill(w.flat(), 0.25f);
  std::ranges::fill(x.flat(), 0.5f);
  std::ranges::fill(g.flat(), 1.0f);
  layer.program(w);
  layer.calibrate();
  layer.forward(x, y);
  const float before = y(0, 0);
  left = 1;
  CHECK_THROWS_AS(layer.set_output_factor(0.5), Timeout);
  CHECK(layer.output_factor() == 1);
  layer.forward(x, y);
  CHECK(y(0, 0) == before);
  left = 1;
  CHECK_THROWS_AS(layer.learn_programme(x, g, 0.01), Timeout);
  CHECK_THROWS_WITH(layer.forward(x, y), Catch::Contains("nothing was programmed"));
  layer.program(w);
  layer.forward(x, y);
  CHECK(y(0, 0) == Approx(before).epsilon(0.01));
}
