// Devices of the catalogue and whole training runs, recorded and played back.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "driver/recorder/recording.hpp"
#include "tests/use_device_for_tests.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/trainer.hpp"

using namespace lightloop;
using Catch::Matchers::Contains;
using test::all_devices;

namespace {

TrainSettings small(const TrainSettings& more) {
  TrainSettings s{{"train.net", "20-32-24-5"},
                  {"train.rule", "tdfa"},
                  {"train.epochs", std::int64_t{2}},
                  {"train.lr", 1e-2},
                  {"train.batch", std::int64_t{32}}};
  for (const auto& [key, value] : more) s[key] = value;
  return s;
}

TrainResult run(const TrainSettings& s, const TrainObserver& observer = {}) {
  return train(s, cluster_task(), all_devices(), observer);
}

constexpr const char* kBench = "sim:opu,medium.drift_time=600 s";

}  // namespace

TEST_CASE("every device of the catalogue is replayed bit by bit, programmes and state included") {
  const TemporaryFolder folder;
  const Registry registry = all_devices();
  for (const DeviceModel& model : registry.models()) {
    INFO(model.name);
    const std::string file = folder / (model.name + ".h5");
    std::vector<std::uint32_t> answers;
    Meter meter;
    {
      Session real(registry.open("sim:" + model.name), "sim:" + model.name);
      const auto recording = record(real, file);
      answers = test::use(real);
      meter = real.meter();
      recording->close();
    }
    Session replayed(registry.open("replay:" + file));
    CHECK(test::use(replayed) == answers);
    CHECK(replayed.meter().device_s == meter.device_s);
    CHECK(replayed.meter().device_j == meter.device_j);
    CHECK(replayed.meter().saturated == meter.saturated);
    CHECK(replayed.info().model == "sim:" + model.name);
  }
}

TEST_CASE("what rings draw follows their programme, in the recording as in the bank itself") {
  const TemporaryFolder folder;
  const std::string file = folder / "rings.h5";
  const auto use = [](Session& session, bool with_nothing) {
    std::vector<double> joules;
    for (std::uint64_t i = 0; i < 3; ++i) {
      session.program(test::random_frames(*session.info().program, 1, i).frames());
      joules.push_back(session.info().cost.program_j);
      if (with_nothing) session.configure({{"adc.range", session.settings().real("adc.range")}});  // as it is
      const FrameBuffer in = test::random_frames(session.info().input, 4, 10 + i);
      FrameBuffer out(session.info().output, 4);
      joules.push_back(session.run(in.frames(), out.frames()).device_j);
    }
    joules.push_back(session.meter().device_j);
    return joules;
  };
  std::vector<double> live;
  {
    Session real(all_devices().open("sim:ring_bank"));
    const auto recording = record(real, file);
    live = use(real, true);
    recording->close();
  }
  CHECK(live[0] != live[2]);                       // another programme, another power
  for (const bool with_nothing : {true, false}) {  // it may be asked again, but need not
    Session replayed(all_devices().open("replay:" + file));
    CHECK(use(replayed, with_nothing) == live);
  }
  const h5::Reader events(file);
  const auto kind = events.read("/events/kind").values, cost = events.read("/events/device_j").values;
  std::size_t programme = 0;
  for (std::size_t i = 0; i < kind.size(); ++i)
    if (kind[i] == 2) CHECK(cost[i] == live[2 * programme++]);
  CHECK(programme == 3);
}

TEST_CASE("a recorded training run is the run without a recording, and its replay ends with the same weights") {
  const TemporaryFolder folder;
  for (const char* readout : {"anchor", "phase4"}) {
    INFO(readout);
    const std::string file = folder / (readout + std::string(".h5"));
    const TrainSettings on_bench = small({{"train.device", kBench}, {"train.readout", readout}});
    TrainSettings recorded = on_bench;
    recorded["train.record"] = file;
    const TrainResult plain = run(on_bench), first = run(recorded);
    const TrainSettings at_home = small({{"train.device", "replay:" + file}, {"train.readout", readout}});
    const TrainResult again = run(at_home);
    CHECK(first.weights_sha256 == plain.weights_sha256);
    CHECK(again.weights_sha256 == plain.weights_sha256);
    CHECK(again.device_frames == plain.device_frames);
    CHECK(again.device_seconds == plain.device_seconds);
    CHECK(again.health_end.repeat_correlation == plain.health_end.repeat_correlation);

    TrainSettings other = at_home;
    other["train.lr"] = 2e-2;
    CHECK_THROWS_WITH(run(other), Contains("replay:" + file + " at frame") && Contains("recorded: "));
  }
}

TEST_CASE("a replayed run can be stopped and resumed") {
  const TemporaryFolder folder;
  const std::string file = folder / "rec.h5", out = folder / "run.h5";
  const TrainResult whole = run(small({{"train.device", kBench}, {"train.record", file}}));
  int steps = 0;
  TrainObserver stopping;
  stopping.stop = [&] { return ++steps == 20; };
  CHECK(run(small({{"train.device", "replay:" + file}, {"train.out", out}}), stopping).interrupted);
  CHECK(run({{"train.resume", out}}).weights_sha256 == whole.weights_sha256);
}

TEST_CASE("the recording of a run behind a map is of the map, also where another device is measured once") {
  const TemporaryFolder folder;
  const std::string file = folder / "frames.h5";
  const TrainSettings measured = small({{"train.rule", "dfa"},
                                        {"train.epochs", std::int64_t{1}},
                                        {"train.map", "sim:wave,input.size=32,output.size=32"},
                                        {"rule.matrix_from", "sim:opu"}});
  TrainSettings recorded = measured, again = measured;
  recorded["train.record"] = file;
  again["train.map"] = "replay:" + file;
  const std::string weights = run(recorded).weights_sha256;
  CHECK(run(again).weights_sha256 == weights);
}

TEST_CASE("layers are recorded device by device and replayed to the same weights, also where cells learn in place") {
  const std::string cells = "sim:crossbar,cell.kind=soft_bounds,pulse.step=0.002";
  const TrainSettings written{{"layer.backward", "device"}}, shared{{"layer.devices", "one"}};
  const TrainSettings pulsed{{"layer.update", "pulses"}, {"layer.weight_limit", 1.0}, {"layer.backward", "device"}};
  for (const auto& [device, how] : {std::pair{std::string("sim:crossbar"), written}, std::pair{cells, pulsed},
                                    std::pair{std::string("sim:crossbar,input.size=32,output.size=32"), shared}}) {
    const TemporaryFolder folder;
    const bool one = how.contains("layer.devices");
    TrainSettings on_bench = small(how);
    on_bench["train.rule"] = "bp";
    on_bench["train.epochs"] = std::int64_t{1};
    on_bench["train.layers"] = device;
    const std::string files = folder / (one ? "tiles.h5" : "tile-{0..2}.h5");
    TrainSettings recorded = on_bench, at_home = on_bench;
    recorded["train.record"] = files;
    at_home["train.layers"] = "replay:" + files;
    at_home.erase("layer.devices");
    const TrainResult plain = run(on_bench), first = run(recorded), again = run(at_home);
    INFO(device);
    for (const TrainResult* other : {&first, &again}) {
      CHECK(other->weights_sha256 == plain.weights_sha256);
      CHECK(other->test_accuracy == plain.test_accuracy);
      CHECK(other->device_frames == plain.device_frames);
      CHECK(other->device_joules == plain.device_joules);
    }
    CHECK_THROWS_WITH(run(recorded), Contains("exists already"));
    TrainSettings other = at_home;
    other["train.lr"] = 2e-2;
    CHECK_THROWS_WITH(run(other), Contains("replay:" + (folder / "tile")) && Contains("recorded: "));
    other = at_home;
    other["train.epochs"] = std::int64_t{2};
    CHECK_THROWS_WITH(run(other), Contains("replay:"));
  }
}

TEST_CASE("layers that learn by a twin, or by trials of their programmes, are replayed at home to the same bits") {
  const std::string chip = "sim:mzi_mesh,correction=none,splitter_error=0.1,monitors=true,phase.law=linear";
  const TrainSettings programme{{"layer.update", "programme"}, {"layer.weight_limit", 8.0}};
  TrainSettings both = programme;
  both["layer.backward"] = "twin";
  for (const auto& [rule, how] : {std::pair{std::string("bp"), TrainSettings{{"layer.backward", "twin"}}},
                                  {"bp", both},
                                  {"dfa", programme},
                                  {"spsa", programme}}) {
    const TemporaryFolder folder;
    INFO(rule << (how.contains("layer.update") ? " programme" : " written"));
    TrainSettings on_bench = small(how);
    on_bench["train.net"] = "20-8-5";
    on_bench["train.rule"] = rule;
    on_bench["train.epochs"] = std::int64_t{1};
    on_bench["train.batch"] = std::int64_t{200};
    on_bench["train.layers"] = chip;
    TrainSettings recorded = on_bench, at_home = on_bench;
    recorded["train.record"] = folder / "mesh-{0..1}.h5";
    at_home["train.layers"] = "replay:" + (folder / "mesh-{0..1}.h5");
    if (rule != "spsa") {
      CHECK_THROWS_WITH((run(recorded), run(at_home)), Contains("layer.twin"));  // a recording has none
      recorded["train.force"] = true;
      at_home["layer.twin"] = chip + ",seed={1..2}";  // the chips of seed 1
    }
    const TrainResult plain = run(on_bench), first = run(recorded), again = run(at_home);
    for (const TrainResult* other : {&first, &again}) {
      CHECK(other->weights_sha256 == plain.weights_sha256);
      CHECK(other->test_accuracy == plain.test_accuracy);
      CHECK(other->device_frames == plain.device_frames);
      CHECK(other->device_joules == plain.device_joules);
    }
    if (rule == "spsa") continue;
    at_home["layer.twin"] = "sim:mzi_mesh";  // the perfect mesh teaches otherwise, and nobody recorded that
    CHECK_THROWS_WITH(run(at_home), Contains("replay:") && Contains("recorded: "));
  }
}

TEST_CASE("layers want a file for each of their devices") {
  const TemporaryFolder folder;
  TrainSettings s = small({{"train.rule", "bp"}, {"train.layers", "sim:crossbar"}, {"train.out", folder / "run-1.h5"}});
  s["train.record"] = folder / "f.h5";
  CHECK_THROWS_WITH(run(s), Contains("1 file, ") && Contains("3 devices") && Contains("f-{0..2}.h5"));
  s["train.record"] = folder / "run-{0..2}.h5";
  CHECK_THROWS_WITH(run(s), Contains("same file"));
  CHECK(folder.files() == 0);
}

TEST_CASE("a recording that cannot be is refused before the first frame") {
  const TemporaryFolder folder;
  const std::string file = folder / "rec.h5", out = folder / "run.h5";
  CHECK_THROWS_WITH(run(small({{"train.record", file}})), Contains("no device is used"));
  CHECK_THROWS_WITH(run(small({{"train.device", kBench}, {"train.record", file}, {"train.out", file}})),
                    Contains("same file"));
  CHECK_THROWS_AS(run(small({{"train.device", kBench}, {"train.record", folder / "none/rec.h5"}})), FileError);
  TrainObserver stopping;
  stopping.stop = [] { return true; };
  CHECK(run(small({{"train.device", kBench}, {"train.record", file}, {"train.out", out}}), stopping).interrupted);
  CHECK_THROWS_WITH(run({{"train.resume", out}, {"train.record", file}}), Contains("begins with its run"));
  CHECK_NOTHROW(run({{"train.resume", out}}));  // goes on without a recording
  CHECK_NOTHROW(all_devices().open("replay:" + file));
}

TEST_CASE("a full disk stops a recorded training run with an error that names the recording") {
  const TemporaryFolder folder;
  const std::string file = folder / "rec.h5";
  std::string message;
  try {
    const test::FileLimit limit(2'500'000);
    run(small({{"train.device", kBench}, {"train.rule", "dfa"}, {"train.record", file}}));
  } catch (const FileError& error) {
    message = error.what();
  }
  CHECK_THAT(message, Contains(file) && Contains("Free some space"));
  const auto device = all_devices().open("replay:" + file);
  CHECK_THAT(device->self_test().detail, Contains("frames"));
  CHECK_THROWS_WITH(run(small({{"train.device", "replay:" + file}, {"train.rule", "dfa"}})),
                    Contains("the recording ends after"));
}
