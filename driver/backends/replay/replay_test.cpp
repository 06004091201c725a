#include "driver/backends/replay/replay.hpp"

#include <hdf5.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "core/hdf5_stream.hpp"
#include "core/temporary_folder_for_tests.hpp"
#include "driver/api/description.hpp"
#include "driver/api/fake_device_test.hpp"
#include "driver/recorder/recording.hpp"
#include "driver/recorder/tape.hpp"

namespace lightloop {
namespace {
using Catch::Matchers::Contains;
using test::FakeDevice;
using test::FakeOptions;

struct Folder : test::TemporaryFolder {
  std::string file = path + "/rec.h5";
};

std::unique_ptr<Device> replay_of(const std::string& file) {
  Registry registry;
  registry.add_backend("replay", replay::backend());
  return registry.open("replay:" + file);
}

struct Answers {
  std::vector<std::uint32_t> codes;
  RunReport report;
  bool operator==(const Answers& other) const {
    return codes == other.codes && report.frames == other.report.frames && report.saturated == other.report.saturated &&
           report.codes == other.report.codes && report.device_s == other.report.device_s &&
           report.device_j == other.report.device_j;
  }
};

Answers run(Session& session, Index count, std::uint32_t first, Pass pass = Pass::forward, bool with_aux = true) {
  const bool forward = pass == Pass::forward;
  FrameBuffer in({{forward ? 6 : 4}, 4, ""}, count), out({{forward ? 4 : 6}, 10, ""}, count);
  Matrix<std::uint16_t> aux(count, 1);
  for (Index f = 0; f < count; ++f) {
    aux(f, 0) = static_cast<std::uint16_t>(f % 8);
    for (Index i = 0; i < in.frames().size; ++i)
      in.frames().set(f, i, (first + static_cast<std::uint32_t>(f * 7 + i * 3)) % 16);
  }
  ConstFrames frames = std::as_const(in).frames();
  if (with_aux && !session.info().aux_inputs.empty()) frames.aux = aux;
  RunOptions options;
  options.pass = pass;
  Answers answers{{}, session.run(frames, out.frames(), options)};
  for (Index f = 0; f < count; ++f)
    for (Index i = 0; i < out.frames().size; ++i) answers.codes.push_back(out.frames().at(f, i));
  return answers;
}

void program(Session& session, std::uint32_t code) {
  FrameBuffer codes({{4, 6}, 6, ""}, 1);
  for (Index i = 0; i < 24; ++i) codes.frames().set(0, i, (code + static_cast<std::uint32_t>(i)) % 64);
  session.program(std::as_const(codes).frames());
}

/// Uses everything the device can do.
std::vector<Answers> use(Session& session) {
  std::vector<Answers> all;
  if (session.info().program) program(session, 5);
  all.push_back(run(session, 3, 1));
  session.configure({{"gain", 2.5}, {"inverted", true}});
  all.push_back(run(session, 250, 2));  // three batches
  if (session.info().transposed) all.push_back(run(session, 4, 3, Pass::transposed, false));
  const auto before = session.snapshot();
  all.push_back(run(session, 2, 4));
  session.restore(before);
  session.configure({{"gain", 2.5}});  // changes nothing
  all.push_back(run(session, 5, 6));
  session.reset();
  session.configure({{"offset", std::int64_t{7}}});
  session.continue_at(1000);
  all.push_back(run(session, 1, 9, Pass::forward, false));
  return all;
}
}  // namespace

TEST_CASE("replay: answers, costs, settings and description are those recorded, whatever the device can do") {
  const Folder folder;
  for (int bits = 0; bits < 32; ++bits) {
    CAPTURE(bits);
    const FakeOptions options{bool(bits & 1), bool(bits & 2), bool(bits & 4), bool(bits & 8), bool(bits & 16)};
    Session real(std::make_unique<FakeDevice>(options), "sim:fake");
    const auto recording = record(real, folder.file);
    const auto before = real.info();
    const auto answers = use(real);
    recording->close();
    Session replayed(replay_of(folder.file));
    const auto as_replayed = [](DeviceInfo info) {
      info.pairing = Pairing::certain;
      return to_settings(info);
    };
    CHECK(to_settings(replayed.info()) == as_replayed(before));
    CHECK(use(replayed) == answers);
    CHECK(to_settings(replayed.info()) == as_replayed(real.info()));
    CHECK(recording::to_settings(replayed.device().settings()) == recording::to_settings(real.device().settings()));
    CHECK(replayed.meter().device_s == real.meter().device_s);
    CHECK(replayed.meter().saturated == real.meter().saturated);
  }
}

TEST_CASE("replay: a batch may be cut otherwise, and a snapshot is a place in the recording") {
  const Folder folder;
  std::vector<Answers> whole;
  {
    Session real(std::make_unique<FakeDevice>(FakeOptions{}), "sim:fake");
    record(real, folder.file);
    whole = {run(real, 2, 1, Pass::forward, false), run(real, 2, 1 + 14, Pass::forward, false)};
  }  // closed with the session
  Session replayed(replay_of(folder.file));
  const auto first = run(replayed, 1, 1, Pass::forward, false);
  const auto place = replayed.snapshot();
  const auto rest = run(replayed, 3, 1 + 7, Pass::forward, false);
  auto codes = first.codes, all = whole[0].codes;
  codes.insert(codes.end(), rest.codes.begin(), rest.codes.end());
  all.insert(all.end(), whole[1].codes.begin(), whole[1].codes.end());
  CHECK(codes == all);
  CHECK(first.report.device_s + rest.report.device_s == whole[0].report.device_s + whole[1].report.device_s);
  Session later(replay_of(folder.file));
  later.restore(place);
  CHECK(run(later, 3, 1 + 7, Pass::forward, false) == rest);
  CHECK_THROWS_AS(replayed.device().restore({}), InvalidParameter);
}

TEST_CASE("replay: every difference is named with its place, and leaves the replay where it was") {
  const Folder folder;
  Answers good;
  {
    Session real(std::make_unique<FakeDevice>(FakeOptions{}), "sim:fake");
    record(real, folder.file);
    run(real, 3, 1);
    good = run(real, 5, 4);
    program(real, 3);
    real.configure({{"gain", 2.0}});
  }
  Session replayed(replay_of(folder.file), "replay");
  CHECK_THROWS_WITH(replayed.configure({{"gain", 2.0}}), Contains("frame 0 (id 0)") && Contains("run of 3 frames"));
  run(replayed, 3, 1);
  CHECK_THROWS_WITH(run(replayed, 5, 5), Contains(folder.file + " at frame 3 (id 3): input code 0 is 5 (recorded: 4)"));
  CHECK_THROWS_WITH(run(replayed, 5, 4, Pass::forward, false),
                    Contains("frame 3 (id 3): auxiliary code bias is 2 (recorded: 0)"));
  CHECK_THROWS_WITH(run(replayed, 2, 4, Pass::transposed, false), Contains("transposed pass (recorded: forward pass"));
  replayed.continue_at(17);
  CHECK_THROWS_WITH(run(replayed, 5, 4), Contains("frame id 17 (recorded: 3)"));
  replayed.continue_at(3);
  CHECK_THROWS_WITH(program(replayed, 3), Contains("program (recorded: run of 5 frames"));
  CHECK(run(replayed, 5, 4) == good);
  CHECK_THROWS_WITH(run(replayed, 1, 1), Contains("at event 2: run of 1 frames (recorded: program)"));
  CHECK_THROWS_WITH(program(replayed, 4), Contains("programme code 0 is 4 (recorded: 3)"));
  program(replayed, 3);
  CHECK_THROWS_WITH(replayed.configure({{"gain", 3.0}}), Contains("setting gain becomes 3 (recorded: 2)"));
  CHECK_THROWS_WITH(replayed.reset(), Contains("reset (recorded: configure)"));
  replayed.configure({{"gain", 2.0}});
  CHECK_THROWS_WITH(run(replayed, 4, 1), Contains("asked for 4 frames more") && Contains("ends after 8 frames"));
  CHECK_THROWS_WITH(replay_of(folder.file + ",gain=3"), Contains("recorded: 1"));
  CHECK_NOTHROW(replay_of(folder.file + ",gain=1"));
  CHECK_THROWS_AS(replay_of(folder.path + "/none.h5"), FileError);
  h5::Writer(folder.path + "/run.h5").commit();
  CHECK_THROWS_WITH(replay_of(folder.path + "/run.h5"), Contains("not a recording"));
}

namespace {

/// What it draws, and by which component, follows every programme and every configure(), also one that changes nothing.
class Hungry : public FakeDevice {
 public:
  Hungry() : FakeDevice({}), said_(FakeDevice::describe()) {}
  const DeviceInfo& describe() const override { return said_; }
  void configure(const Settings& changes) override {
    FakeDevice::configure(changes);
    eat();
  }
  void program(ConstFrames codes) override {
    FakeDevice::program(codes);
    eat();
  }

 private:
  void eat() {
    said_.cost.power_w += 0.125;
    said_.cost.program_j += 1;
    const std::size_t parts = said_.cost.parts.size();
    said_.cost.parts.assign(parts == 2 ? 0 : parts + 1, {});
    for (std::size_t i = 0; i < said_.cost.parts.size(); ++i) said_.cost.parts[i].name = "part " + std::to_string(i);
  }
  DeviceInfo said_;
};

/// Counts codes as clipped that lie nowhere near an end of the range.
class Anxious : public FakeDevice {
 public:
  Anxious() : FakeDevice({.stateful = false}) {}
  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    RunReport report = FakeDevice::run(in, out, options);
    report.saturated = report.codes / 2;
    return report;
  }
};

}  // namespace

TEST_CASE("replay: a device may say something else of itself after any call, and need not be told to say it again") {
  const Folder folder;
  std::vector<Settings> said;
  std::vector<Answers> answers;
  const auto use = [&](Session& session, bool with_nothing) {
    std::vector<Settings> all;
    answers.clear();
    for (std::uint32_t i = 0; i < 4; ++i) {
      program(session, i);
      all.push_back(to_settings(session.info()));
      answers.push_back(run(session, 3, i));
      if (with_nothing) session.configure({{"gain", 1.0}});
      if (i == 2) session.reset();
    }
    session.configure({{"gain", 2.0}});
    all.push_back(to_settings(session.info()));
    answers.push_back(run(session, 3, 9));
    for (Settings& one : all) one.erase("pairing");
    return all;
  };
  Meter meter;
  {
    Session real(std::make_unique<Hungry>(), "sim:hungry");
    const auto recording = record(real, folder.file);
    said = use(real, true);
    meter = real.meter();
    recording->close();
  }
  const std::vector<Answers> live = answers;
  for (const bool with_nothing : {true, false}) {
    CAPTURE(with_nothing);
    Session replayed(replay_of(folder.file));
    CHECK(use(replayed, with_nothing) == said);
    CHECK(answers == live);
    CHECK(replayed.meter().device_s == meter.device_s);
    CHECK(replayed.meter().device_j == meter.device_j);
  }
}

TEST_CASE("replay: a recording without notes of programmes, as they were before, is read") {
  const Folder folder;
  std::vector<Answers> answers;
  {
    Session real(std::make_unique<FakeDevice>(FakeOptions{}), "sim:fake");
    const auto recording = record(real, folder.file);
    answers = use(real);
    recording->close();
  }
  const hid_t file = H5Fopen(folder.file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  REQUIRE(file >= 0);
  for (const char* name : {"/events/note_first", "/events/note_bytes"})
    REQUIRE(H5Ldelete(file, name, H5P_DEFAULT) >= 0);
  H5Fclose(file);
  Session replayed(replay_of(folder.file));
  CHECK(use(replayed) == answers);
}

TEST_CASE("replay: the parts of a run share all of its clipped codes, wherever it is taken up again") {
  const Folder folder;
  RunReport whole;
  {
    Session real(std::make_unique<Anxious>(), "sim:anxious");
    record(real, folder.file);
    whole = run(real, 10, 1, Pass::forward, false).report;
  }
  REQUIRE(whole.saturated == 20);
  Session replayed(replay_of(folder.file));
  std::vector<std::byte> place;
  std::int64_t saturated = 0, last = 0;
  for (std::uint32_t i = 0; i < 10; ++i) {
    if (i == 7) place = replayed.snapshot();
    last = run(replayed, 1, 1 + 7 * i, Pass::forward, false).report.saturated;
    CHECK(last <= 4);
    saturated += last;
  }
  CHECK(saturated == 20);  // though few are found
  CHECK(last == 4);
  Session later(replay_of(folder.file));
  later.restore(place);
  std::int64_t rest = 0;
  for (std::uint32_t i = 7; i < 10; ++i) rest = run(later, 1, 1 + 7 * i, Pass::forward, false).report.saturated;
  CHECK(rest == last);
}

TEST_CASE("recording: kill -9 loses no call that has returned") {
  const Folder folder;
  for (const std::uint32_t rows : {1, 9, 60}) {
    CAPTURE(rows);
    int link[2];
    REQUIRE(::pipe(link) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      Session real(std::make_unique<FakeDevice>(FakeOptions{}), "sim:fake");
      record(real, folder.file);
      for (std::uint32_t i = 0;; ++i) {
        real.configure({{"gain", 1.0 + 0.1 * (i % 10)}});
        run(real, 1 + i % 130, i);
        if (::write(link[1], &i, sizeof i) < 0) ::_exit(1);
      }
    }
    ::close(link[1]);
    std::uint32_t last = 0, done = 0;
    while (done < rows && ::read(link[0], &last, sizeof last) == sizeof last) done = last;
    ::kill(child, SIGKILL);  // somewhere in the calls that follow
    while (::read(link[0], &last, sizeof last) == sizeof last) done = last;
    ::close(link[0]);
    ::waitpid(child, nullptr, 0);
    REQUIRE(done >= rows);
    const auto check = [&] {
      Session real(std::make_unique<FakeDevice>(FakeOptions{}), "sim:fake");
      Session replayed(replay_of(folder.file));
      std::uint32_t wrong = 0;
      for (std::uint32_t i = 0; i <= done; ++i) {
        real.configure({{"gain", 1.0 + 0.1 * (i % 10)}});
        replayed.configure({{"gain", 1.0 + 0.1 * (i % 10)}});
        wrong += !(run(real, 1 + i % 130, i) == run(replayed, 1 + i % 130, i));
      }
      CHECK(wrong == 0);
    };
    check();
    h5::recover(folder.file);
    check();
  }
}

TEST_CASE("recording: a full disk is a FileError with a remedy, and what was recorded before can be replayed") {
  const Folder folder;
  std::vector<Answers> answers;
  {
    const test::FileLimit limit(3'000'000);
    std::string message;
    {
      Session real(std::make_unique<FakeDevice>(FakeOptions{}), "sim:fake");
      record(real, folder.file);
      try {
        for (std::uint32_t i = 0; i < 100'000; ++i) answers.push_back(run(real, 90, i));
      } catch (const FileError& error) {
        message = error.what();
      }
      CHECK_THROWS_AS(run(real, 1, 1), FileError);
    }
    CHECK_THAT(message, Contains(folder.file) && Contains("Free some space"));
  }
  REQUIRE(answers.size() > 10);
  Session replayed(replay_of(folder.file));
  std::size_t wrong = 0;
  for (std::uint32_t i = 0; i < answers.size(); ++i) wrong += !(run(replayed, 90, i) == answers[i]);
  CHECK(wrong == 0);
  CHECK_THROWS_AS(Recording(folder.path + "/none/rec.h5", replayed), FileError);
}

}  // namespace lightloop
