// The conformance suite over its own recording, and over recordings of something else.
#include "driver/backends/replay/checked.hpp"

#include <hdf5.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <set>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/temporary_folder_for_tests.hpp"
#include "driver/api/conformance.hpp"
#include "driver/api/fake_device_test.hpp"
#include "driver/backends/replay/replay.hpp"
#include "driver/recorder/check_recording.hpp"
#include "driver/recorder/recording.hpp"
#include "driver/recorder/tape.hpp"

namespace lightloop {
namespace {
using Catch::Matchers::Contains;
using Outcome = CheckResult::Outcome;
using test::FakeDevice;
using test::FakeOptions;
using test::Fault;

struct Folder : test::TemporaryFolder {
  std::string file = path + "/check.h5";
};

std::map<std::string, CheckResult> by_name(const std::vector<CheckResult>& results) {
  std::map<std::string, CheckResult> all;
  for (const CheckResult& one : results) all[one.name] = one;
  return all;
}
/// Claims that ended in another way than they did before.
std::set<std::string> differences(const std::vector<CheckResult>& now, const std::vector<CheckResult>& before) {
  constexpr const char* kNames[] = {"passed", "failed", "skipped"};
  const auto was = by_name(before);
  std::set<std::string> found;
  for (const CheckResult& one : now) {
    const CheckResult& then = was.at(one.name);
    if (one.outcome == then.outcome) continue;
    found.insert(one.name + ": " + kNames[static_cast<int>(one.outcome)] + " (" + one.detail + "), not " +
                 kNames[static_cast<int>(then.outcome)] + " (" + then.detail + ")");
  }
  if (now.size() != before.size()) found.insert("another number of claims");
  return found;
}
std::set<std::string> failed(const std::vector<CheckResult>& results) {
  std::set<std::string> names;
  for (const CheckResult& one : results)
    if (one.outcome == Outcome::failed) names.insert(one.name + ": " + one.detail);
  return names;
}

std::vector<CheckResult> check_and_record(const FakeOptions& options, const std::string& file) {
  CheckRecording recording(file, "sim:fake", candidate_of([=](const Settings& settings) {
                             return std::make_unique<FakeDevice>(options, settings);
                           }));
  auto results = check_device(recording);
  recording.close();
  return results;
}
std::vector<CheckResult> check_replay(const std::string& file) {
  Registry registry;
  registry.add_backend("replay", replay::backend());
  return check_device(*registry.candidate("replay:" + file));
}

/// Adds one to a number of a dataset.
void change(const std::string& file, const std::string& dataset, std::size_t at, int by = 1) {
  const hid_t f = H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  REQUIRE(f >= 0);
  const hid_t d = H5Dopen2(f, dataset.c_str(), H5P_DEFAULT), space = H5Dget_space(d);
  std::vector<double> all(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)));
  REQUIRE(at < all.size());
  REQUIRE(H5Dread(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, all.data()) >= 0);
  all[at] += by;
  REQUIRE(H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, all.data()) >= 0);
  H5Sclose(space);
  H5Dclose(d);
  H5Fclose(f);
}

/// The calls of a claim, by their numbers in the file.
std::vector<std::size_t> calls_of(const recording::Tape& tape, const std::string& claim, recording::CallKind kind) {
  std::vector<std::size_t> found;
  bool here = false;
  for (std::size_t i = 0; i < tape.calls().size(); ++i) {
    const recording::Call& call = tape.calls()[i];
    if (call.kind == recording::CallKind::claim) here = to_string(call.note.at("asked")) == claim;
    if (here && call.kind == kind) found.push_back(i);
  }
  return found;
}
}  // namespace

TEST_CASE("replay: the suite over its own recording ends claim by claim as over the device, whatever that can do") {
  const Folder folder;
  for (const int bits : {0, 127, 85, 42, 102, 25, 60, 67}) {  // every capability with and without the others
    FakeOptions options{bool(bits & 1),  bool(bits & 2),  bool(bits & 4), bool(bits & 8),
                        bool(bits & 16), bool(bits & 32), bool(bits & 64)};
    options.ensemble = bits % 3 == 0;
    CAPTURE(bits);
    const auto live = check_and_record(options, folder.file), replayed = check_replay(folder.file);
    CHECK(failed(live) == std::set<std::string>{});
    CHECK(failed(replayed) == std::set<std::string>{});
    CHECK(differences(replayed, live) == std::set<std::string>{});
  }
}

TEST_CASE("replay: of a device that breaks the contract, the recording breaks it in the same claims") {
  const Folder folder;
  for (int i = 1; i <= static_cast<int>(Fault::last); ++i) {
    FakeOptions options;
    options.fault = static_cast<Fault>(i);
    if (options.fault == Fault::bad_kind) continue;  // a description that cannot be is refused when the file is read
    // a session tries for seconds to open these again: the same, but not worth the time
    if (options.fault == Fault::self_test_fails || options.fault == Fault::needs_one_thread ||
        options.fault == Fault::numbers_from_zero)
      continue;
    if (options.fault == Fault::pretends_to_program) options.programmable = false;
    options.ensemble = options.fault == Fault::ensemble_of_others;
    if (options.fault == Fault::out_of_order) options.stateful = false;
    INFO("fault number " << i);
    const auto live = check_and_record(options, folder.file);
    CHECK(failed(live) != std::set<std::string>{});
    CHECK(differences(check_replay(folder.file), live) == std::set<std::string>{});
  }
}

TEST_CASE("replay: a recording of the suite that was tampered with fails the claims it was tampered in, and no other") {
  const Folder folder;
  struct Case {
    const char *claim, *what;
    recording::CallKind kind;
    const char* dataset;
  };
  using recording::CallKind;
  const Case cases[] = {
      {"the same frames with the same ids give the same codes", "a code that was answered", CallKind::run,
       "/frames/output"},
      {"codes do not depend on how a batch is cut", "a code that was asked", CallKind::run, "/frames/input"},
      {"the report counts what was run and costs what the cost model says", "the clipped codes", CallKind::run,
       "/calls/saturated"},
      {"counters, time and energy only grow, by what was run", "the frames of a report", CallKind::run,
       "/calls/frames"},
      {"reset() returns to the state after opening", "which call it was", CallKind::reset, "/calls/kind"},
      {"a programme has an effect, the same in every fresh device", "a programmed code", CallKind::program,
       "/programmes/codes"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.claim, one.what);
    REQUIRE(failed(check_and_record({}, folder.file)) == std::set<std::string>{});
    std::size_t at = 0;
    {
      const recording::Tape tape(folder.file);
      const auto calls = calls_of(tape, one.claim, one.kind);
      REQUIRE_FALSE(calls.empty());
      const recording::Call& call = tape.calls()[calls.front()];
      const std::string dataset = one.dataset;
      at = calls.front();
      if (dataset == "/frames/output") at = static_cast<std::size_t>(call.first * 6);  // room for the larger side
      if (dataset == "/frames/input") at = static_cast<std::size_t>(call.first * 6);
      if (dataset == "/programmes/codes") at = static_cast<std::size_t>(call.first * 24);
    }
    const bool by_many = std::string(one.dataset) == "/calls/saturated";
    change(folder.file, one.dataset, at, by_many ? 1000 : 1);
    const auto found = failed(check_replay(folder.file));
    CAPTURE(found);
    REQUIRE(found.size() == 1);
    CHECK_THAT(*found.begin(), Contains(one.claim));
  }
}

TEST_CASE("replay: a claim that lost its end, or was never recorded, does not pass") {
  const Folder folder;
  check_and_record({}, folder.file);
  // the last call recorded for a claim, now told to belong to nobody: what was asked is not what is left
  const std::string claim = "an empty batch does nothing";
  std::size_t last = 0;
  {
    const recording::Tape tape(folder.file);
    last = calls_of(tape, claim, recording::CallKind::open).back();
  }
  change(folder.file, "/calls/kind", last - 1, 20);
  CHECK_THROWS_AS(check_replay(folder.file), FileError);

  {
    CheckRecording few(folder.file, "sim:fake",
                       candidate_of([](const Settings& s) { return std::make_unique<FakeDevice>(FakeOptions{}, s); }));
    few.begin(claim);
    few.open({})->close();
    few.close();
  }
  for (const CheckResult& result : check_replay(folder.file)) {
    INFO(result.name);
    CHECK(result.outcome == (result.name == claim ? Outcome::failed : Outcome::skipped));
    CHECK_THAT(result.detail, Contains(result.name == claim ? "recorded" : "not in the recording"));
  }
}

TEST_CASE("replay: calls that point anywhere are refused, or break a claim, and nothing else") {
  const Folder folder;
  check_and_record({}, folder.file);
  std::size_t row = 0;
  {
    const recording::Tape tape(folder.file);
    const auto run = std::ranges::find_if(tape.calls(), [](const recording::Call& call) {
      return call.kind == recording::CallKind::run && call.count > 0;
    });
    row = static_cast<std::size_t>(run - tape.calls().begin());
  }
  std::vector<std::string> columns = {"kind", "device_s"};
  for (const char* name : recording::kCallNumbers) columns.push_back(name);
  // what a batch cost and how it was numbered need not matter to the claim it is of
  const std::set<std::string> told = {"device_s", "first_frame_id", "pass", "frames", "codes", "saturated"};
  for (const std::string& column : columns) {
    CAPTURE(column);
    const std::string damaged = folder.path + "/" + column + ".h5";
    std::filesystem::copy_file(folder.file, damaged);
    change(damaged, "/calls/" + column, row, column == "kind" ? 3 : 1'000'000);
    bool noticed = false;
    try {
      noticed = !failed(check_replay(damaged)).empty();
    } catch (const FileError& error) {
      CHECK_THAT(error.what(), Contains(damaged));
      noticed = true;
    }
    CHECK((noticed || told.contains(column)));
  }
}

TEST_CASE("replay: an opening that was refused is refused again, and counts as asked") {
  const Folder folder;
  const std::string claim = "a claim";
  {
    int openings = 0;
    CheckRecording recording(folder.file, "sim:fake", candidate_of([&](const Settings& s) {
                               if (++openings == 2) throw LinkError("the cable", "is out");
                               return std::make_unique<FakeDevice>(FakeOptions{}, s);
                             }));
    recording.begin(claim);
    CHECK_THROWS_AS(recording.open({}), LinkError);
    recording.open({})->close();
    recording.close();
  }
  const auto again = replay::candidate(folder.file, {});
  again->begin(claim);
  CHECK_THROWS_AS(again->open({}), LinkError);
  CHECK_THROWS_AS(again->end(), FileError);  // the second one was not asked for yet
  again->open({})->close();
  CHECK_NOTHROW(again->end());
}

TEST_CASE("replay: a check of a recording is not recorded") {
  const Folder folder;
  check_and_record({}, folder.file);
  CHECK_THROWS_AS(
      CheckRecording(folder.path + "/again.h5", "replay:" + folder.file, replay::candidate(folder.file, {})),
      Unsupported);
  CHECK_FALSE(std::filesystem::exists(folder.path + "/again.h5"));
}

TEST_CASE("replay: an ordinary recording is asked what it holds, and says of the rest that it does not hold it") {
  const Folder folder;
  for (const bool on : {false, true}) {
    FakeOptions options{on, true, on, on, on};
    const auto frames = [](Index count) {
      FrameBuffer in({{6}, 4, ""}, count);
      for (Index f = 0; f < count; ++f)
        for (Index i = 0; i < 6; ++i) in.frames().set(f, i, static_cast<std::uint32_t>(f * 7 + i * 3) % 16);
      return in;
    };
    {
      Session real(std::make_unique<FakeDevice>(options), "sim:fake");
      record(real, folder.file);
      real.configure({{"gain", 2.0}});
      if (on) {
        FrameBuffer codes({{4, 6}, 6, ""}, 1);
        real.program(codes.frames());
      }
      const FrameBuffer in = frames(40);
      FrameBuffer out({{4}, 10, ""}, 40);
      real.run(in.frames().slice(0, 36), out.frames().slice(0, 36));
      real.run(in.frames().slice(36, 4), out.frames().slice(36, 4));
    }
    const auto results = check_replay(folder.file);
    CHECK(failed(results) == std::set<std::string>{});
    const auto found = by_name(results);
    for (const char* claim :
         {"the description is complete", "running changes neither description nor settings",
          "counters, time and energy only grow, by what was run", "every setting has help, a unit and a valid default",
          "an unknown setting is refused and the nearest one named",
          "a setting that needs a re-open is refused on an open device", "different frames give different codes",
          "frames of wrong size, width or count are refused and change nothing",
          "codes above the highest are refused and change nothing", "codes do not depend on how a batch is cut",
          "a Session gives the codes of the device", "a deadline that has passed is a Timeout and changes nothing",
          "a job that is called off leaves no trace",
          "closing twice is harmless, a closed device refuses to run, another can be opened"}) {
      INFO(claim);
      CHECK(found.at(claim).outcome == Outcome::passed);
    }
    std::size_t held = 0;
    for (const CheckResult& result : results) {
      held += result.outcome == Outcome::passed;
      if (result.outcome == Outcome::skipped) CHECK_FALSE(result.detail.empty());
    }
    CHECK(found.at("one seed gives one device, another seed another").outcome == Outcome::skipped);
    CHECK(held >= 25);

    change(folder.file, "/frames/output", 0, 2000);
    CHECK_THAT(*failed(check_replay(folder.file)).begin(), Contains("output codes lie in their range"));
  }
}

TEST_CASE("replay: what a recorded batch cost is shared among its frames when it is cut") {
  const Folder folder;
  FrameBuffer in({{6}, 4, ""}, 10), out({{4}, 10, ""}, 10);
  for (Index i = 0; i < 60; ++i) in.frames().set(i / 6, i % 6, i < 30 ? 15 : 0);  // some codes are clipped
  RunReport whole;
  {
    Session real(std::make_unique<FakeDevice>(FakeOptions{}), "sim:fake");
    record(real, folder.file);
    real.configure({{"gain", 4.0}, {"offset", std::int64_t{40}}});
    whole = real.run(in.frames(), out.frames());
  }
  Registry registry;
  registry.add_backend("replay", replay::backend());
  Session replayed(registry.open("replay:" + folder.file));
  replayed.configure({{"gain", 4.0}, {"offset", std::int64_t{40}}});
  double seconds = 0, joules = 0;
  std::int64_t saturated = 0;
  for (Index first = 0; first < 10; first += first == 0 ? 3 : 7) {
    const Index n = first == 0 ? 3 : 7;
    const RunReport part = replayed.run(in.frames().slice(first, n), out.frames().slice(first, n));
    CHECK(part.device_s == Approx(1e-3 * static_cast<double>(n) + (first == 0 ? 1e-2 : 0)));
    const auto at_an_end = [&] {
      std::int64_t count = 0;
      for (Index f = first; f < first + n; ++f)
        for (Index i = 0; i < 4; ++i) count += out.frames().at(f, i) == 0 || out.frames().at(f, i) == 1023;
      return count;
    };
    CHECK(part.saturated <= at_an_end());
    seconds += part.device_s;
    joules += part.device_j;
    saturated += part.saturated;
  }
  CHECK(seconds == Approx(whole.device_s));
  CHECK(joules == Approx(whole.device_j));
  CHECK(saturated == whole.saturated);
}

TEST_CASE("replay: a recording of the suite says what it is to a program that wants to train with it") {
  const Folder folder;
  check_and_record({}, folder.file);
  Registry registry;
  registry.add_backend("replay", replay::backend());
  const auto device = registry.open("replay:" + folder.file);
  CHECK(device->describe().model == "fake");
  FrameBuffer in({{6}, 4, ""}, 1), out({{4}, 10, ""}, 1);
  CHECK_THROWS_WITH(device->run(in.frames(), out.frames()), Contains("recording of the conformance suite"));
  CHECK_THROWS_WITH(registry.candidate("replay:" + folder.file, {{"gain", 3.0}}), Contains("recorded: 1"));
}

TEST_CASE("replay: settings in the address are held against the opening, those of a claim against what came first") {
  const Folder folder;
  {
    FakeOptions options;
    options.programmable = false;
    Session real(std::make_unique<FakeDevice>(options), "sim:fake");
    record(real, folder.file);
    real.configure({{"gain", 2.5}});
    real.restore(real.snapshot());
    FrameBuffer in({{6}, 4, ""}, 8), out({{4}, 10, ""}, 8);
    real.run(in.frames(), out.frames());
  }
  Registry registry;
  registry.add_backend("replay", replay::backend());
  CHECK_NOTHROW(registry.open("replay:" + folder.file + ",gain=1"));
  const auto candidate = registry.candidate("replay:" + folder.file + ",gain=1");
  CHECK(candidate->open({})->settings().real("gain") == 2.5);
  CHECK_NOTHROW(candidate->open({{"gain", 2.5}}));
  CHECK_THROWS_AS(candidate->open({{"gain", 1.0}}), NotAsked);
  CHECK_THROWS_AS(registry.candidate("replay:" + folder.file + ",gain=2.5"), InvalidParameter);
  const auto results = check_device(*candidate);
  CHECK(failed(results) == std::set<std::string>{});
  INFO(by_name(results)["codes do not depend on how a batch is cut"].detail);
  CHECK(by_name(results)["codes do not depend on how a batch is cut"].outcome == Outcome::passed);
}

TEST_CASE("recording a check: what a call left behind does later belongs to no claim") {
  const Folder folder;
  const auto open = [](const Settings& s) { return std::make_unique<FakeDevice>(FakeOptions{}, s); };
  CheckRecording recording(folder.file, "sim:fake", candidate_of(open));
  recording.begin("first");
  const auto behind = recording.open({});
  recording.begin("second");
  FrameBuffer in({{6}, 4, ""}, 2), out({{4}, 10, ""}, 2);
  behind->run(in.frames(), out.frames());
  const auto device = recording.open({});
  behind->reset();
  device->reset();
  behind->close();
  device->close();
  recording.close();
  const recording::Tape tape(folder.file);
  std::vector<recording::CallKind> kinds;
  for (const recording::Call& call : tape.calls()) kinds.push_back(call.kind);
  using Kind = recording::CallKind;
  CHECK(kinds == std::vector{Kind::claim, Kind::open, Kind::claim, Kind::open, Kind::reset, Kind::close});
  CHECK_NOTHROW(replay::candidate(folder.file, {}));
}

TEST_CASE("recording a check: an opening that gives no device is said, and a replay is not recorded again") {
  const Folder folder;
  const auto nothing = [](const Settings&) { return std::unique_ptr<Device>(); };
  CHECK_THROWS_AS(CheckRecording(folder.file, "sim:fake", candidate_of(nothing)), DeviceError);
  int opened = 0;
  CheckRecording once(folder.file, "sim:fake", candidate_of([&](const Settings&) -> std::unique_ptr<Device> {
                        return opened++ == 0 ? std::make_unique<FakeDevice>(FakeOptions{}) : nullptr;
                      }));
  const auto results = check_device(once);
  for (const CheckResult& one : results) CHECK(one.outcome != Outcome::passed);
  once.close();
  for (const CheckResult& one : check_replay(folder.file)) CHECK(one.outcome != Outcome::passed);

  check_and_record({}, folder.file);
  const std::string named = folder.path + "/device.toml";
  write_file(named, "device = \"replay:" + folder.file + "\"\n");
  CHECK_THROWS_AS(CheckRecording(folder.path + "/again.h5", named, candidate_of(nothing)), Unsupported);
}

}  // namespace lightloop
