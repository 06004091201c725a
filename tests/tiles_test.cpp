// Matrices larger than a device, and networks whose products are made by devices.
#include "driver/layer/tiles.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"
#include "devices/catalogue.hpp"
#include "training/analog.hpp"

namespace lightloop {
namespace {

const Registry& registry() {
  static const Registry all = [] {
    Registry made;
    add_devices(made);
    return made;
  }();
  return all;
}

Matrix<float> uniform(Index rows, Index cols, float size, std::uint64_t set) {
  Matrix<float> m(rows, cols);
  Stream(6, set, Purpose::user).uniform(0, 0, m.flat());
  for (float& value : m.flat()) value = size * (2 * value - 1);
  return m;
}

/// Largest difference from x w^T, or from x w.
double worst(const Matrix<float>& y, const Matrix<float>& x, const Matrix<float>& w, bool transposed = false) {
  double most = 0;
  for (Index r = 0; r < y.rows(); ++r)
    for (Index i = 0; i < y.cols(); ++i) {
      double sum = 0;
      for (Index j = 0; j < x.cols(); ++j)
        sum += static_cast<double>(x(r, j)) * static_cast<double>(transposed ? w(j, i) : w(i, j));
      most = std::max(most, std::abs(sum - static_cast<double>(y(r, i))));
    }
  return most;
}

const std::string kFine = "sim:crossbar,preset=ideal,dac.bits=14,weight.bits=14,adc.bits=16,adc.range=30";

std::vector<float> answers(const std::string& device, const Settings& layer, std::initializer_list<Index> cuts) {
  TileDevices devices(registry(), device, {}, layer, {{20, 13}});
  TiledLayer tiled(devices, 20, 13, layer);
  tiled.program(uniform(13, 20, 3.0f, 1));
  const Matrix<float> x = uniform(30, 20, 7.0f, 2);
  Matrix<float> y(30, 13);
  Index first = 0;
  for (const Index n : cuts) {
    tiled.forward(x.view().rows(first, n), y.view().rows(first, n));
    first += n;
  }
  return {y.flat().begin(), y.flat().end()};
}

Network random_net() {
  Network net({20, 16, 12, 5}, Activation::tanh);
  net.initialise(3);
  return net;
}

}  // namespace

TEST_CASE("a matrix larger than the device is the product of its tiles, in both directions and for every scheme") {
  const Matrix<float> w = uniform(13, 20, 3.0f, 1), x = uniform(30, 20, 7.0f, 2), g = uniform(30, 13, 0.2f, 3);
  for (const char* cells : {"signed", "differential", "offset"})
    for (const char* sharing : {"each", "one"}) {
      INFO(cells << ", " << sharing);
      const Settings layer{{"cells", std::string(cells)}, {"devices", std::string(sharing)}};
      TileDevices devices(registry(), kFine + ",input.size=8,output.size=11", {}, layer, {{20, 13}});
      TiledLayer tiled(devices, 20, 13, layer);
      const Index rows = cells == std::string("signed") ? 2 : cells == std::string("offset") ? 2 : 3;
      CHECK(tiled.tiles() == 3 * rows);
      CHECK(devices.opened().size() == (sharing == std::string("one") ? 1u : static_cast<std::size_t>(3 * rows)));
      CHECK_THROWS_AS(tiled.calibrate(), Error);
      tiled.program(w);
      Matrix<float> y(30, 13), back(30, 20);
      tiled.forward(x, y);
      tiled.transposed(g, back);
      CHECK(worst(y, x, w) < 0.3);  // steps of 30 / 2^15 times 3 x 7, of a few tiles and rows
      CHECK(worst(back, g, w, true) < 0.01);
      CHECK(worst(y, x, tiled.programmed()) < 0.3);
    }
}

TEST_CASE("one device for all tiles gives what a device for each gives, where there is no noise, and writes more") {
  const std::string device = kFine + ",input.size=8,output.size=11";
  CHECK(answers(device, {{"devices", std::string("one")}}, {30}) ==
        answers(device, {{"devices", std::string("each")}}, {30}));
  const Settings layer{{"devices", std::string("one")}};
  TileDevices devices(registry(), device, {}, layer, {{20, 13}});
  TiledLayer tiled(devices, 20, 13, layer);
  tiled.program(uniform(13, 20, 3.0f, 1));
  Matrix<float> x = uniform(4, 20, 1.0f, 2), y(4, 13);
  const std::int64_t before = tiled.report().programs;
  for (int i = 0; i < 3; ++i) tiled.forward(x, y);
  CHECK(tiled.report().programs == before + 3 * 6);
  CHECK(tiled.report().device_j == Approx(devices.opened()[0]->session->meter().device_j).epsilon(1e-9));
}

TEST_CASE(
    "answers of tiles with noise depend neither on the cut of the batch nor on threads, no two tiles share noise") {
  const std::string device = "sim:crossbar,adc.range=12,input.size=8,output.size=11,seed=4";
  const int before = threads();
  set_threads(1);
  const auto whole = answers(device, {}, {30});
  set_threads(3);
  CHECK(whole == answers(device, {}, {1, 20, 9}));
  set_threads(before);
  TileDevices devices(registry(), device, {}, {}, {{20, 13}});
  TiledLayer tiled(devices, 20, 13);
  for (std::size_t i = 0; i < devices.opened().size(); ++i)
    CHECK(devices.opened()[i]->session->settings().integer("seed") == 4 + static_cast<std::int64_t>(i));
}

TEST_CASE("devices that are named give the bits of as many that are opened one after the other") {
  const std::string device = "sim:crossbar,adc.range=12,input.size=8,output.size=11";
  const auto each = answers(device + ",seed=4", {}, {30});
  CHECK(answers(device + ",seed={4..9}", {}, {30}) == each);
  CHECK(answers(device + ",seed={4..12}", {{"devices", std::string("each")}}, {30}) == each);
  CHECK(answers(device + ",seed={5..10}", {}, {30}) != each);

  TileDevices open(registry(), device + "," + device, {{"seed", std::int64_t{7}}}, {}, {{8, 11}, {8, 11}});
  TiledLayer first(open, 8, 11), second(open, 8, 11);
  for (const int i : {0, 1}) CHECK(open.opened()[std::size_t(i)]->session->settings().integer("seed") == 7 + i);
  CHECK_FALSE(open.exclusive());
}

TEST_CASE("too few devices are refused with how many of which size are needed") {
  const std::string device = "sim:crossbar,input.size=8,output.size=11,seed=";
  CHECK_THROWS_WITH(answers(device + "{1..2}", {}, {30}),
                    Catch::Contains("2 are named") && Catch::Contains("6 are needed") &&
                        Catch::Contains("8 inputs and 11 outputs") && Catch::Contains("m{0..5}"));
  CHECK_THROWS_AS(answers(device + "{1..6}", {{"devices", std::string("one")}}, {30}), InvalidParameter);
}

TEST_CASE("every layer is cut to the size of the device of its first tile, and a smaller one behind it is refused") {
  const auto layers = [](const std::string& devices) {
    TileDevices named(registry(), devices, {}, {}, {{16, 8}, {8, 4}});
    const Index first = TiledLayer(named, 16, 8).tiles();
    return std::pair(first, TiledLayer(named, 8, 4).tiles());
  };
  const std::string large = "sim:mzi_mesh,input.size=16,output.size=16",
                    small = "sim:mzi_mesh,input.size=8,output.size=8";
  CHECK(layers(large + "," + small) == std::pair<Index, Index>(1, 1));
  CHECK(layers(small + "," + large + "," + small) == std::pair<Index, Index>(2, 1));
  CHECK_THROWS_WITH(layers(small + ",sim:mzi_mesh,input.size=4,output.size=4," + small), Catch::Contains("tile 2"));
}

TEST_CASE("the energy of a layer is the sum of its components, on crossbars and meshes, and grows with every frame") {
  for (const char* device : {"sim:crossbar,preset=pcm", "sim:mzi_mesh"}) {
    INFO(device);
    TileDevices devices(registry(), device, {}, {}, {{12, 7}});
    TiledLayer tiled(devices, 12, 7);
    tiled.program(uniform(7, 12, 1.0f, 1));
    tiled.calibrate();
    Matrix<float> x = uniform(9, 12, 1.0f, 2), y(9, 7);
    EnergyAccount before = tiled.report().energy;
    for (int i = 0; i < 3; ++i) {
      tiled.forward(x, y);
      const LayerReport now = tiled.report();
      CHECK(now.energy.joules() == Approx(now.device_j).epsilon(1e-9));
      CHECK(now.device_j == Approx(devices.opened()[0]->session->meter().device_j).epsilon(1e-9));
      REQUIRE(now.energy.parts().size() >= before.parts().size());
      for (std::size_t p = 0; p < before.parts().size(); ++p) {
        CHECK(now.energy.parts()[p].name != "other");
        CHECK(now.energy.parts()[p].joules >= before.parts()[p].joules);
      }
      before = now.energy;
    }
    double conversions = 0;
    for (const EnergyPart& part : before.parts())
      if (part.name == "adc") conversions = part.events;
    CHECK(conversions == static_cast<double>(tiled.report().frames * 7));
  }
}

TEST_CASE("a network on devices without errors is the network, on noisy ones its answers belong to the samples") {
  const Network net = random_net();
  const Matrix<float> x = uniform(40, 20, 1.0f, 5);
  Activations digital, analog;
  forward(net, x, digital);
  AnalogNetwork fine(registry(), analog_place(kFine, {}, 3), net);
  CHECK_THROWS_AS(fine.forward(net, x, analog), Error);
  fine.program(net);
  fine.forward(net, x, analog);
  for (std::size_t l = 1; l < 4; ++l)
    for (Index i = 0; i < digital.h[l].size(); ++i)
      CHECK(std::abs(digital.h[l].data()[i] - analog.h[l].data()[i]) < 0.02f);
  const auto logits = [&](std::initializer_list<Index> cuts) {
    AnalogNetwork noisy(registry(), analog_place("sim:crossbar", {{"device.adc.bits", std::int64_t{6}}}, 3), net);
    noisy.program(net);
    std::vector<float> all;
    Index first = 0;
    for (const Index n : cuts) {
      Activations a;
      noisy.forward(net, x.view().rows(first, n), a);
      all.insert(all.end(), a.h.back().flat().begin(), a.h.back().flat().end());
      first += n;
    }
    return all;
  };
  CHECK(logits({40}) == logits({7, 33}));
  Network other({20, 16, 5}, Activation::tanh);
  CHECK_THROWS_AS(fine.program(other), ShapeMismatch);
}

TEST_CASE("tiles that share a device share its twin, and every one sees its own programme there") {
  Registry counting;
  int opened = 0;
  for (DeviceModel model : registry().models()) {
    if (model.twin)
      model.twin = [&opened, twin = model.twin](const ParamSet& params) {
        ++opened;
        return twin(params);
      };
    counting.add(model);
  }
  const Matrix<float> x = uniform(30, 20, 7.0f, 2), g = uniform(30, 13, 1.0f, 3);
  const auto back = [&](const char* sharing) {
    const Settings layer{{"devices", std::string(sharing)}, {"backward", std::string("twin")}};
    TileDevices devices(counting, kFine + ",input.size=8,output.size=5", {}, layer, {{20, 13}});
    TiledLayer tiled(devices, 20, 13, layer);
    CHECK(tiled.tiles() == 9);
    tiled.program(uniform(13, 20, 3.0f, 1));
    Matrix<float> y(30, 13), below(30, 20);
    tiled.forward(x, y);
    tiled.backward(x, g, below);
    return std::vector<float>(below.flat().begin(), below.flat().end());
  };
  const std::vector<float> each = back("each");
  CHECK(opened == 9);
  CHECK(back("one") == each);
  CHECK(opened == 10);
}

TEST_CASE("one device for one tile learns in place, for several it cannot and says what can be done") {
  const Settings layer{{"devices", std::string("one")}, {"update", std::string("programme")}, {"weight_limit", 50.0}};
  const auto learn = [&](Index n_in) {
    TileDevices devices(registry(), "sim:mzi_mesh,input.size=8,output.size=8", {}, layer, {{n_in, 8}});
    TiledLayer tiled(devices, n_in, 8, layer);
    tiled.program(uniform(8, n_in, 1.0f, 1));
    const Matrix<float> before = tiled.programmed();
    tiled.learn_programme(uniform(10, n_in, 1.0f, 2), uniform(10, 8, 1.0f, 3), 0.01);
    return worst(tiled.programmed(), tiled.programmed(), before) > 0;
  };
  CHECK(learn(8));
  CHECK_THROWS_WITH(learn(9), Catch::Contains("2 tiles") && Catch::Contains("no larger than it (8 inputs, 8 outputs)"));
}

TEST_CASE("what monitors measure of the only device costs what it costs on a device of its own") {
  const auto learnt = [](const char* sharing) {
    const Settings layer{
        {"devices", std::string(sharing)}, {"update", std::string("programme")}, {"weight_limit", 50.0}};
    TileDevices devices(registry(),
                        "sim:mzi_mesh,input.size=8,output.size=8,monitors=true,correction=none,monitor_noise=0.1", {},
                        layer, {{8, 8}});
    TiledLayer tiled(devices, 8, 8, layer);
    tiled.program(uniform(8, 8, 1.0f, 1));
    const Index before = tiled.report().frames;
    tiled.learn_programme(uniform(10, 8, 1.0f, 2), uniform(10, 8, 1.0f, 3), 0.01);
    CHECK(tiled.report().frames - before == 30);
    const Matrix<float> held = tiled.programmed();
    return std::vector<float>(held.flat().begin(), held.flat().end());
  };
  CHECK(learnt("one") == learnt("each"));
}

TEST_CASE("settings of one layer alone reach that layer, and a layer that is not there is refused") {
  const Network net = random_net();
  const Settings settings{{"device.adc.bits", std::int64_t{9}}, {"device.layer2.adc.bits", std::int64_t{6}}};
  AnalogNetwork analog(registry(), analog_place("sim:crossbar", settings, 3), net);
  const auto& opened = analog.devices().opened();
  REQUIRE(opened.size() == 3);
  CHECK(opened[0]->session->info().output.bits == 9);
  CHECK(opened[1]->session->info().output.bits == 6);
  CHECK(opened[2]->session->info().output.bits == 9);
  CHECK_THROWS_AS(analog_place("sim:crossbar", {{"device.layer4.adc.bits", std::int64_t{6}}}, 3), OutOfRange);
  CHECK_THROWS_AS(analog_place("sim:crossbar", {{"rule.k", 1.0}}, 3), UnknownName);
  CHECK_THROWS_AS(AnalogNetwork(registry(), analog_place("sim:opu", {}, 3), net), Unsupported);
}

TEST_CASE("an analog network restored from a snapshot goes on with the same bits") {
  const Network net = random_net();
  const Matrix<float> x = uniform(10, 20, 1.0f, 5);
  const AnalogPlace place = analog_place("sim:crossbar,preset=pcm", {}, 3);
  AnalogNetwork whole(registry(), place, net), resumed(registry(), place, net);
  Activations a, b;
  whole.program(net);
  whole.forward(net, x, a);
  resumed.restore(whole.snapshot());
  whole.program(net, true);
  resumed.program(net, true);
  whole.forward(net, x, a);
  resumed.forward(net, x, b);
  CHECK(std::equal(a.h.back().flat().begin(), a.h.back().flat().end(), b.h.back().flat().begin()));
  Meter of_whole, of_resumed;
  whole.add_meters(of_whole);
  resumed.add_meters(of_resumed);
  CHECK(of_whole.device_j == Approx(of_resumed.device_j).epsilon(1e-12));
  auto wrong = whole.snapshot();
  wrong.pop_back();
  CHECK_THROWS_AS(resumed.restore(wrong), InvalidParameter);
}

namespace {

/// Where each part of "length, bytes, length, bytes, ..." begins, from `at` on.
std::vector<std::size_t> part_starts(const std::vector<std::byte>& state, std::size_t at) {
  std::vector<std::size_t> starts;
  while (at + 8 <= state.size()) {
    std::uint64_t size = 0;
    std::memcpy(&size, state.data() + at, 8);
    starts.push_back(at + 8);
    at += 8 + static_cast<std::size_t>(size);
  }
  return starts;
}

}  // namespace

TEST_CASE("tiles are restored all or none: a bad third leaves the first two as they were") {
  TileDevices devices(registry(), "sim:crossbar,preset=pcm,input.size=8,output.size=8", {}, {}, {{20, 13}});
  TiledLayer layer(devices, 20, 13);
  REQUIRE(layer.tiles() > 3);
  layer.program(uniform(13, 20, 3.0f, 1));
  const auto fresh = layer.snapshot();
  layer.calibrate();
  const auto calibrated = layer.snapshot();
  REQUIRE(calibrated != fresh);
  auto wrong = fresh;
  wrong[part_starts(wrong, 0)[2]] = std::byte{99};  // of a version that there never was
  CHECK_THROWS_AS(layer.restore(wrong), InvalidParameter);
  CHECK(layer.snapshot() == calibrated);
  layer.restore(fresh);
  CHECK(layer.snapshot() == fresh);
}

TEST_CASE("a network on devices is restored all or none, its devices too") {
  const Network net = random_net();
  const Matrix<float> x = uniform(10, 20, 1.0f, 5);
  AnalogNetwork analog(registry(), analog_place("sim:crossbar,preset=pcm", {}, 3), net);
  Activations out;
  analog.program(net);
  const auto before = analog.snapshot();
  analog.forward(net, x, out);
  const auto now = analog.snapshot();
  REQUIRE(now != before);
  const std::vector<std::size_t> parts = part_starts(before, 1);  // devices, then layers; ranges follow
  auto bad_layer = before;
  bad_layer[parts[3] + 8] = std::byte{99};  // the third layer's first tile
  CHECK_THROWS_AS(analog.restore(bad_layer), InvalidParameter);
  CHECK(analog.snapshot() == now);
  auto bad_device = before;
  bad_device[part_starts(bad_device, parts[0] + 8)[2]] = std::byte{99};  // the third session, when layers are restored
  CHECK_THROWS_AS(analog.restore(bad_device), InvalidParameter);
  CHECK(analog.snapshot() == now);
  analog.restore(before);
  CHECK(analog.snapshot() == before);
}

TEST_CASE("a layer and its devices go on from their snapshot with the same bits, whatever they held") {
  const Matrix<float> w = uniform(13, 20, 0.9f, 1), other = uniform(13, 20, 0.9f, 3), dw = uniform(13, 20, 0.1f, 4),
                      x = uniform(10, 20, 1.0f, 5);
  const auto check = [&](const std::string& device, const Settings& layer_settings, bool pulses) {
    INFO(device << " " << format_settings(layer_settings));
    const auto make = [&] { return TileDevices(registry(), device, {}, layer_settings, {{20, 13}}); };
    TileDevices of_whole = make(), of_fresh = make(), of_used = make();
    TiledLayer whole(of_whole, 20, 13, layer_settings), fresh(of_fresh, 20, 13, layer_settings),
        used(of_used, 20, 13, layer_settings);
    Matrix<float> a(10, 13), b(10, 13);
    whole.program(other);
    whole.program(w);
    whole.calibrate();
    if (pulses) whole.update(dw);
    whole.forward(x, a);
    const auto state = whole.snapshot_with_devices();
    CHECK(whole.snapshot_with_devices() == state);  // which moves nothing
    used.program(other);
    used.forward(x, b);
    for (TiledLayer* next : {&fresh, &used}) next->restore_with_devices(state);
    CHECK(used.snapshot_with_devices() == state);
    for (int pass = 0; pass < 2; ++pass) {
      if (pulses) whole.update(dw);
      whole.forward(x, a);
      for (TiledLayer* next : {&fresh, &used}) {
        if (pulses) next->update(dw);
        next->forward(x, b);
        CHECK(std::ranges::equal(a.flat(), b.flat()));
      }
    }
  };
  const std::string small = ",input.size=8,output.size=8";
  check("sim:crossbar,preset=pcm" + small, {}, false);
  check("sim:crossbar,preset=pcm" + small, {{"devices", std::string("one")}}, false);
  check("sim:crossbar,preset=reram" + small,
        {{"output_range", std::string("learned")}, {"devices", std::string("one")}}, false);
  check("sim:crossbar,cell.kind=soft_bounds,pulse.step=0.01" + small,
        {{"update", std::string("pulses")}, {"weight_limit", 1.0}}, true);
  check("sim:ring_bank" + small, {}, false);
}

TEST_CASE("snapshots of layers on other devices are refused by name, and nothing changes") {
  const Matrix<float> w = uniform(13, 20, 0.9f, 1), x = uniform(10, 20, 1.0f, 5);
  const auto made = [&](const std::string& device) {
    auto devices =
        std::make_unique<TileDevices>(registry(), device, Settings{}, Settings{}, std::vector<MatrixSize>{{20, 13}});
    TiledLayer layer(*devices, 20, 13);
    layer.program(w);
    return std::pair(std::move(devices), std::move(layer));
  };
  const std::string device = "sim:crossbar,preset=pcm,input.size=8,output.size=8";
  auto [devices, layer] = made(device);
  auto [others, other] = made(device + ",seed=40");  // found out at the devices, when the layers have changed already
  const auto mine = layer.snapshot_with_devices(), theirs = other.snapshot_with_devices();
  CHECK_THROWS_WITH(layer.restore_with_devices(theirs), Catch::Contains("seed"));
  CHECK_THROWS_WITH(
      layer.restore_with_devices(made("sim:mzi_mesh,input.size=8,output.size=8").second.snapshot_with_devices()),
      Catch::Contains("sim:mzi_mesh") && Catch::Contains("sim:crossbar"));
  CHECK(layer.snapshot_with_devices() == mine);
  auto damaged = mine;
  damaged[100] ^= std::byte{1};
  CHECK_THROWS_WITH(layer.restore_with_devices(damaged), Catch::Contains("damaged"));
  CHECK(layer.snapshot_with_devices() == mine);
}

TEST_CASE("time is that since devices were opened, however often it is set") {
  TileDevices devices(registry(), "sim:crossbar,preset=pcm,clock_s=10", {}, {}, {{8, 8}});
  TiledLayer layer(devices, 8, 8);
  layer.program(uniform(8, 8, 1.0f, 1));
  const auto clock = [&] { return devices.opened().front()->session->settings().real("clock_s"); };
  devices.age(3600);
  CHECK(clock() == 3610);
  devices.age(86400);
  CHECK(clock() == 86410);
  CHECK_THROWS_AS(devices.age(3600), OutOfRange);
  CHECK(clock() == 86410);
}

}  // namespace lightloop
