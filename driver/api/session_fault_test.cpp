// Sessions whose device is late, gone, out of step or somebody else's.
#include <atomic>
#include <catch2/catch.hpp>
#include <deque>
#include <future>
#include <thread>

#include "core/error.hpp"
#include "driver/api/fake_device_test.hpp"
#include "driver/api/session.hpp"

namespace lightloop {
namespace {
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using test::FakeDevice;
using test::FakeOptions;

/// What goes wrong, shared by all devices that one opener makes.
struct Script {
  std::deque<std::function<void()>> before_run;  ///< one per run, then nothing
  std::deque<std::function<void(Frames, const RunOptions&)>> after_run;
  std::atomic<int> refuse_to_open = 0, opened = 0, closed = 0;
  Pairing pairing = Pairing::certain;
  std::string serial;
  std::uint64_t exposures = 1;
  std::promise<void> gate;
};

const FakeOptions kPlain{false, true, false, false, false};

class Scripted : public FakeDevice {
 public:
  Scripted(const FakeOptions& options, std::shared_ptr<Script> script)
      : FakeDevice(options), script_(std::move(script)), described_(FakeDevice::describe()) {
    ++script_->opened;
    described_.pairing = script_->pairing;
    described_.serial = script_->serial;
  }
  const DeviceInfo& describe() const override { return described_; }
  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    if (!script_->before_run.empty()) {
      const auto action = std::move(script_->before_run.front());
      script_->before_run.pop_front();
      action();
    }
    const RunReport report = FakeDevice::run(in, out, options);
    if (options.numbers)
      for (Index i = 0; i < in.count; ++i) options.numbers[i] = script_->exposures++;
    if (!script_->after_run.empty()) {
      const auto action = std::move(script_->after_run.front());
      script_->after_run.pop_front();
      action(out, options);
    }
    return report;
  }
  void close() override {
    ++script_->closed;
    FakeDevice::close();
  }

 private:
  std::shared_ptr<Script> script_;
  DeviceInfo described_;
};

Session::Opener opener(std::shared_ptr<Script> script, const FakeOptions& options = kPlain) {
  return [=]() -> std::unique_ptr<Device> {
    if (script->refuse_to_open > 0 && script->refuse_to_open--) throw LinkError("fake", "no answer");
    return std::make_unique<Scripted>(options, script);
  };
}

FrameBuffer some_frames(Index count) {
  FrameBuffer in({{6}, 4, ""}, count);
  for (Index f = 0; f < count; ++f)
    for (Index i = 0; i < 6; ++i) in.frames().set(f, i, static_cast<std::uint32_t>((f * 7 + i * 3) % 16));
  return in;
}

std::vector<std::uint32_t> codes(const ConstFrames& frames) {
  std::vector<std::uint32_t> all;
  for (Index f = 0; f < frames.count; ++f)
    for (Index i = 0; i < frames.size; ++i) all.push_back(frames.at(f, i));
  return all;
}

const FrameFormat kOutput{{4}, 10, ""};

/// What an undisturbed device answers to `runs` batches of `count` frames.
std::vector<std::uint32_t> undisturbed(Index count, int runs = 1, const FakeOptions& options = kPlain) {
  Session session(std::make_unique<FakeDevice>(options));
  const FrameBuffer in = some_frames(count);
  FrameBuffer out(kOutput, count);
  std::vector<std::uint32_t> all;
  for (int i = 0; i < runs; ++i) {
    session.run(in.frames(), out.frames());
    for (const std::uint32_t code : codes(out.frames())) all.push_back(code);
  }
  return all;
}

std::vector<std::uint32_t> run(Session& session, Index count, int runs = 1, RunOptions options = {}) {
  const FrameBuffer in = some_frames(count);
  FrameBuffer out(kOutput, count);
  std::vector<std::uint32_t> all;
  for (int i = 0; i < runs; ++i) {
    session.run(in.frames(), out.frames(), options);
    for (const std::uint32_t code : codes(out.frames())) all.push_back(code);
  }
  return all;
}

RunOptions within(std::chrono::milliseconds time) {
  RunOptions options;
  options.deadline = std::chrono::steady_clock::now() + time;
  return options;
}
}  // namespace

TEST_CASE("what a restored snapshot programmed is there again after a lost link") {
  const FakeOptions options{true, false, true, false, false};  // stateful, programmable
  const auto script = std::make_shared<Script>();
  Session session(opener(script, options), "sim:fake", {{"reopen_s", 10.0}});
  FrameBuffer first({{4, 6}, 6, ""}, 1), second({{4, 6}, 6, ""}, 1);
  for (Index i = 0; i < 24; ++i) first.frames().set(0, i, static_cast<std::uint32_t>(i));
  session.program(first.frames());
  const auto state = session.snapshot();
  const auto wanted = run(session, 3);
  session.program(second.frames());
  session.restore(state);
  CHECK(run(session, 3) == wanted);
  script->before_run = {[] { throw LinkError("fake", "the cable was pulled"); }};
  CHECK_THROWS_AS(run(session, 3), LinkError);  // its memory is gone, and nothing remembers it
  session.reset();
  CHECK(run(session, 3) == wanted);
}

TEST_CASE("tickets are answered in order, with the ids of their submission, and outlive the session") {
  const FrameBuffer in = some_frames(7);
  std::vector<std::uint32_t> all;
  Ticket last;
  {
    Session session(std::make_unique<FakeDevice>(kPlain), "sim:fake");
    Ticket first = session.submit(in.frames()), second = session.submit(in.frames());
    CHECK(second.first_frame_id() == 7);
    last = session.submit(in.frames());
    CHECK(second.wait().first_frame_id == 7);
    CHECK(first.ready());
    for (const Ticket& ticket : {first, second})
      for (const std::uint32_t code : codes(ticket.frames())) all.push_back(code);
    last.wait();
    CHECK(session.provenance(last.wait()).last_frame_id == 20);
  }
  for (const std::uint32_t code : codes(last.frames())) all.push_back(code);
  CHECK(all == undisturbed(7, 3));
  CHECK_THROWS_AS(Ticket().wait(), InvalidParameter);
}

TEST_CASE("a full queue is busy, a waiting job can be called off, and neither disturbs the others") {
  const auto script = std::make_shared<Script>();
  std::shared_future<void> open = script->gate.get_future().share();
  script->before_run = {[open] { open.wait(); }};
  Session session(opener(script), "fake", {{"queue", std::int64_t{3}}});
  const FrameBuffer in = some_frames(5);
  Ticket first = session.submit(in.frames()), called_off = session.submit(in.frames()),
         third = session.submit(in.frames());
  CHECK_THROWS_AS(session.submit(in.frames()), Busy);
  CHECK_THROWS_AS(first.wait(std::chrono::duration<double>(0.01)), WaitTimeout);
  while (session.state() != SessionState::running) std::this_thread::sleep_for(1ms);
  CHECK_FALSE(first.ready());
  CHECK(called_off.cancel());
  CHECK_THROWS_AS(called_off.wait(), Cancelled);
  Ticket fourth = session.submit(in.frames());
  CHECK_FALSE(first.cancel());  // too late: it is being shown
  script->gate.set_value();
  CHECK(fourth.first_frame_id() == 15);
  const auto all = undisturbed(5, 4);
  CHECK(codes(third.frames()) == std::vector<std::uint32_t>(all.begin() + 40, all.begin() + 60));
  CHECK(codes(fourth.frames()) == std::vector<std::uint32_t>(all.begin() + 60, all.end()));
}

TEST_CASE("a lost link is opened again and the batch shown again, with settings and programme put back") {
  FakeOptions options = kPlain;
  options.programmable = true;
  const auto lost = std::make_shared<Script>(), fine = std::make_shared<Script>();
  lost->before_run = {[] {}, [] { throw LinkError("fake", "the cable was pulled"); }};
  std::vector<std::uint32_t> answers[2];
  int i = 0;
  for (const auto& script : {lost, fine}) {
    Session session(opener(script, options), "fake");
    session.configure({{"gain", 2.0}});
    session.program(FrameBuffer({{4, 6}, 6, ""}, 1).frames());
    answers[i] = run(session, 5);
    script->refuse_to_open = script == lost ? 2 : 0;
    for (const std::uint32_t code : run(session, 250)) answers[i].push_back(code);
    CHECK(session.meter().losses == (script == lost));
    CHECK(session.meter().reopened == (script == lost));
    CHECK(session.meter().retries == (script == lost));
    CHECK(session.meter().frames == 255);
    CHECK(session.state() == SessionState::ready);
    CHECK(session.events().size() == (script == lost ? 2 : 0));
    ++i;
  }
  CHECK(answers[0] == answers[1]);
}

TEST_CASE("a device that stays away is an error that tells the last good frame, and comes back later") {
  const auto script = std::make_shared<Script>();
  script->before_run = {[] {}, [] { throw LinkError("fake", "the cable was pulled"); }};
  Session session(opener(script), "fake", {{"reopen_s", 0.0}});
  run(session, 5);
  script->refuse_to_open = 1;
  CHECK_THROWS_WITH(run(session, 5), Contains("last good: frame 4") && Contains("no answer"));
  CHECK(session.state() == SessionState::lost);
  const auto all = undisturbed(5, 2);
  CHECK(run(session, 5) == std::vector<std::uint32_t>(all.begin() + 20, all.end()));
  CHECK(session.state() == SessionState::ready);
}

TEST_CASE("a lost device is looked for in the background") {
  const auto script = std::make_shared<Script>();
  script->before_run = {[] { throw LinkError("fake", "the cable was pulled"); }};
  Session session(opener(script), "fake", {{"retries", std::int64_t{0}}});
  CHECK_THROWS_AS(run(session, 5), LinkError);
  for (int i = 0; i < 6000 && session.state() != SessionState::ready; ++i) std::this_thread::sleep_for(5ms);
  CHECK(session.state() == SessionState::ready);
  CHECK(run(session, 5) == undisturbed(5));
}

TEST_CASE("another device behind the same address is not used") {
  const auto script = std::make_shared<Script>();
  script->before_run = {[script] {
    script->serial = "B";
    throw LinkError("fake", "the cable was pulled");
  }};
  script->serial = "A";
  Session session(opener(script), "fake");
  CHECK_THROWS_WITH(run(session, 5), Contains("another device") && Contains("serial number") && Contains("\"B\""));
  CHECK(session.state() == SessionState::fault);
  CHECK_THROWS_AS(run(session, 5), LinkError);
  script->serial = "A";
  session.reopen();
  CHECK(run(session, 5) == undisturbed(5));
}

TEST_CASE("a stateful device is shown frames again only with its memory put back") {
  FakeOptions options = kPlain;
  options.stateful = true;
  const auto all = undisturbed(5, 3, options);
  for (const bool kept : {false, true}) {
    const auto script = std::make_shared<Script>();
    script->before_run = {[] {}, [] { throw LinkError("fake", "the cable was pulled"); }};
    Session session(opener(script, options), "fake", {{"snapshots", kept}});
    const auto state = session.snapshot();
    std::vector<std::uint32_t> answers = run(session, 5);
    if (kept) {
      for (const std::uint32_t code : run(session, 5, 2)) answers.push_back(code);
      CHECK(answers == all);
      continue;
    }
    CHECK_THROWS_WITH(run(session, 5), Contains("cable"));
    CHECK_THROWS_WITH(run(session, 5), Contains("lost its memory"));
    session.restore(state);
    CHECK(run(session, 5, 3) == all);
  }
}

TEST_CASE("the caller's deadline holds although the call hangs, and the device is quarantined until it returns") {
  const auto script = std::make_shared<Script>();
  std::shared_future<void> gate = script->gate.get_future().share();
  script->before_run = {[gate] { gate.wait_for(60s); }};
  Session session(opener(script), "fake");
  try {
    run(session, 5, 1, within(100ms));
    FAIL("it must not come back in time");
  } catch (const WaitTimeout& error) {
    CHECK_THAT(error.what(), Contains("fake") && Contains("no frame was answered before"));
  }
  CHECK(session.state() == SessionState::lost);  // the call hangs still
  CHECK_THROWS_AS(run(session, 5, 1, within(50ms)), WaitTimeout);
  CHECK(script->opened.load() == 1);
  script->gate.set_value();
  CHECK(run(session, 5) == undisturbed(5));
  CHECK(script->opened.load() == 2);
  CHECK(session.meter().losses == 1);
}

TEST_CASE("a session with a call that hangs is left in bounded time") {
  const auto script = std::make_shared<Script>();
  std::shared_future<void> open = script->gate.get_future().share();
  script->before_run = {[open] { open.wait(); }};
  const auto start = std::chrono::steady_clock::now();
  {
    Session session(opener(script), "fake");
    CHECK_THROWS_AS(run(session, 5, 1, within(500ms)), WaitTimeout);
  }
  CHECK(std::chrono::steady_clock::now() - start < 60s);
  script->gate.set_value();
  for (int i = 0; i < 6000 && script.use_count() > 1; ++i) std::this_thread::sleep_for(5ms);
  CHECK(script.use_count() == 1);  // the thread that was left behind closed the device and ended
  CHECK(script->closed.load() == 1);
}

TEST_CASE("an early timeout or a damaged frame is shown again, so often and no more") {
  for (const int faults : {2, 3}) {
    const auto script = std::make_shared<Script>();
    for (int i = 0; i < faults; ++i)
      script->before_run.push_back([i] {
        if (i % 2) throw Timeout("fake", "too slow");
        throw FrameError("fake", "frame 3: checksum differs");
      });
    Session session(opener(script), "fake", {{"retries", std::int64_t{2}}});
    if (faults == 2) {
      CHECK(run(session, 5) == undisturbed(5));
    } else {
      CHECK_THROWS_AS(run(session, 5), FrameError);
      CHECK(session.state() == SessionState::degraded);
      CHECK(run(session, 5) == undisturbed(5));
    }
    CHECK(session.state() == SessionState::ready);
    CHECK(session.meter().retries == 2);
    CHECK(session.meter().losses == 0);
  }
}

TEST_CASE("exposures out of step are never accepted") {
  using Numbers = std::function<void(std::uint64_t*, Script&)>;
  for (const Numbers& wrong :
       {Numbers([](std::uint64_t*n, Script&script) { n[4] = script.exposures++; }),  // a frame is missing
        Numbers([](std::uint64_t*n, Script&) { n[3] = n[2]; }),                      // one came twice
        Numbers([](std::uint64_t*n, Script&) {                                       // all are shifted by one
          for (int i = 0; i < 5; ++i) --n[i];
        }),
        Numbers([](std::uint64_t*n, Script&) { std::swap(n[1], n[2]); })}) {
    const auto script = std::make_shared<Script>();
    script->pairing = Pairing::counted;
    script->after_run = {[](Frames, const RunOptions&) {},
                         [&](Frames out, const RunOptions& options) {
                           out.set(1, 1, 1023);
                           wrong(options.numbers, *script);
                         }};
    Session session(opener(script), "fake");
    CHECK(run(session, 5, 3) == undisturbed(5, 3));
    CHECK(session.meter().retries == 1);
    CHECK(session.meter().discarded == 5);
    CHECK(session.meter().frames == 20);
  }
}

TEST_CASE("without numbers, check frames find every net shift") {
  // a picture missing, one twice, all late by one, all early by one
  const auto move = [](Frames out, Index from, Index by) {
    const FrameBuffer before = [&] {
      FrameBuffer copy;
      copy.resize(out.bytes, out.size, out.count);
      std::copy_n(static_cast<const std::uint8_t*>(out.data), out.count * out.size * out.bytes,
                  static_cast<std::uint8_t*>(copy.frames().data));
      return copy;
    }();
    for (Index f = from; f < out.count; ++f)
      for (Index i = 0; i < out.size; ++i)
        out.set(f, i, before.frames().at(std::clamp<Index>(f + by, 0, out.count - 1), i));
  };
  for (const auto& [from, by] : {std::pair<Index, Index>{2, 1}, {3, -1}, {0, 1}, {0, -1}, {4, 1}, {0, 2}, {1, -2}}) {
    for (const bool noisy : {false, true}) {
      const FakeOptions options{false, noisy, false, false, false};
      const auto script = std::make_shared<Script>();
      script->pairing = Pairing::unknown;
      const auto nothing = [](Frames, const RunOptions&) {};
      script->after_run = {nothing, nothing, [&, f = from, b = by](Frames out, const RunOptions&) { move(out, f, b); }};
      Session session(opener(script, options), "fake");
      CHECK(run(session, 5, 3) == undisturbed(5, 3, options));
      CHECK(session.meter().retries == 1);
      CHECK(session.meter().discarded == 5);
      CHECK(session.meter().checks == 8 + 4 * 2);
    }
  }
}

TEST_CASE("a device that is shifted from the start is refused") {
  const auto script = std::make_shared<Script>();
  script->pairing = Pairing::unknown;
  for (int i = 0; i < 6; ++i)
    script->after_run.push_back([](Frames out, const RunOptions&) {
      for (Index f = out.count - 1; f > 0; --f)
        for (Index k = 0; k < out.size; ++k) out.set(f, k, out.at(f - 1, k));
      for (Index k = 0; k < out.size; ++k) out.set(0, k, 0);
    });
  Session session(opener(script), "fake");
  CHECK_THROWS_WITH(run(session, 5), Contains("shifted by one"));
}

TEST_CASE("checks now and then refuse what was accepted in between") {
  const auto script = std::make_shared<Script>();
  const auto nothing = [](Frames, const RunOptions&) {};
  script->after_run = {nothing, nothing, nothing, [](Frames out, const RunOptions&) {
                         out.set(out.count - 1, 0, 1023 - out.at(out.count - 1, 0));
                       }};
  Session session(opener(script, {false, false, false, false, false}), "fake", {{"check_every", std::int64_t{3}}});
  run(session, 5, 2);
  CHECK_THROWS_WITH(run(session, 5), Contains("the last 2 batches before frame 10 may have wrong answers"));
}

TEST_CASE("repeating every batch finds what neither numbers nor check frames can") {
  const auto script = std::make_shared<Script>();
  script->after_run = {[](Frames, const RunOptions&) {}, [](Frames out, const RunOptions&) { out.set(2, 1, 0); }};
  Session session(opener(script), "fake", {{"repeat", true}});
  CHECK(run(session, 5) == undisturbed(5));
  CHECK(session.meter().retries == 1);
  CHECK(session.meter().frames == 20);
}

TEST_CASE("a lease keeps other threads out and names its holder") {
  Session session(std::make_unique<FakeDevice>(kPlain), "fake");
  auto lease = session.lease("the calibration");
  CHECK_THROWS_AS(session.lease("somebody else"), Busy);
  run(session, 5);
  std::thread([&] { CHECK_THROWS_WITH(run(session, 5), Contains("the calibration has it")); }).join();
  lease.reset();
  std::thread([&] { CHECK_NOTHROW(run(session, 5)); }).join();
}

TEST_CASE("closing calls waiting jobs off, and a closed session refuses to run until it is opened again") {
  const auto script = std::make_shared<Script>();
  std::shared_future<void> open = script->gate.get_future().share();
  std::atomic<bool> shown = false;
  script->before_run = {[open, &shown] {
    shown = true;
    open.wait();
  }};
  Session session(opener(script), "fake");
  const FrameBuffer in = some_frames(5);
  Ticket under_way = session.submit(in.frames()), waiting = session.submit(in.frames());
  while (!shown) std::this_thread::sleep_for(1ms);  // a job that is taken but not shown would be called off
  std::thread later([&] {
    while (session.state() != SessionState::closed) std::this_thread::sleep_for(1ms);
    script->gate.set_value();
  });
  session.close();
  later.join();
  CHECK(codes(under_way.frames()) == undisturbed(5));
  CHECK_THROWS_AS(waiting.wait(), Cancelled);
  CHECK_THROWS_AS(run(session, 5), LinkError);
  CHECK_THROWS_AS(session.reset(), LinkError);
  CHECK(session.state() == SessionState::closed);
  CHECK(script->closed.load() == 1);
  session.close();
  session.reopen();
  session.continue_at(0);
  CHECK(run(session, 5) == undisturbed(5));
}

TEST_CASE("what a session cannot do is refused with the reason") {
  CHECK_THROWS_AS(Session(std::make_unique<FakeDevice>(kPlain), "fake", {{"retires", std::int64_t{1}}}), UnknownName);
  CHECK_THROWS_AS(Session([]() -> std::unique_ptr<Device> { throw LinkError("fake", "no cable"); }), LinkError);
  Session session(std::make_unique<FakeDevice>(kPlain), "fake");
  CHECK_THROWS_AS(session.reopen(), Unsupported);
  FakeOptions stateful = kPlain;
  stateful.stateful = true;
  Session checked(std::make_unique<FakeDevice>(stateful), "fake", {{"check_every", std::int64_t{1}}});
  CHECK_THROWS_AS(run(checked, 5), Unsupported);
}

}  // namespace lightloop
