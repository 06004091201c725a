// Conformance: does the device get on with a Session, which works on another thread, opens and closes, and counts?
#include <atomic>
#include <future>
#include <thread>

#include "driver/api/conformance_checks.hpp"
#include "driver/api/session.hpp"

namespace lightloop::conformance {
namespace {

/// Holds the session's thread after its first batch until it is opened.
class Gate : public SessionObserver {
 public:
  void on_run(const ConstFrames&, const ConstFrames&, const RunOptions&, const RunReport&) override {
    reached_ = true;
    open_.wait();
  }
  void on_program(const ConstFrames&) override {}
  void on_configure() override {}
  void on_reset() override {}
  void on_restore() override {}
  bool reached() const { return reached_; }
  void open() {
    if (!std::exchange(opened_, true)) promise_.set_value();
  }

 private:
  std::promise<void> promise_;
  std::shared_future<void> open_ = promise_.get_future().share();
  std::atomic<bool> reached_ = false;
  bool opened_ = false;
};

/// A session that stands still after its first batch, and goes on when this ends.
struct Held {
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();
  explicit Held(Session& session) { session.observe(gate); }
  ~Held() { gate->open(); }
};

void append(const ConstFrames& frames, Codes& to) {
  to.size = frames.size;
  for (Index frame = 0; frame < frames.count; ++frame)
    for (Index i = 0; i < frames.size; ++i) to.values.push_back(frames.at(frame, i));
}

Codes run(Session& session, const ConstFrames& in, const RunOptions& options = {}) {
  FrameBuffer out = output_memory(session.info(), in.count);
  session.run(in, out.frames(), options);
  Codes codes;
  codes.exact = session.info().repeatable;
  append(out.frames(), codes);
  return codes;
}

void queue(const Open& open) {
  FrameBuffer in;
  Codes codes;
  {
    Session session(fresh(open), "the device", {{"queue", std::int64_t{2}}});
    in = open.frames(session.info(), 4);
    Held held(session);
    const Ticket first = session.submit(in.frames().slice(0, 2)), second = session.submit(in.frames().slice(2, 2));
    LIGHTLOOP_REQUIRE_THROWS(Busy, "a third job in a queue of two", session.submit(in.frames()));
    held.gate->open();
    append(first.frames(), codes);
    append(second.frames(), codes);
  }
  require_equal(run_fresh(open, in.frames()), codes, "one call and two jobs of a Session");
}

void cancel(const Open& open) {
  FrameBuffer in;
  Codes codes;
  {
    Session session(fresh(open), "the device");
    in = open.frames(session.info(), 3);
    Held held(session);
    const Ticket first = session.submit(in.frames().slice(0, 1));
    Ticket called_off = session.submit(in.frames().slice(1, 1));
    require(called_off.cancel(), "a waiting job could not be called off");
    LIGHTLOOP_REQUIRE_THROWS(Cancelled, "waiting for a job that was called off", called_off.wait());
    session.continue_at(1);
    const Ticket last = session.submit(in.frames().slice(1, 2));
    held.gate->open();
    append(first.frames(), codes);
    append(last.frames(), codes);
  }
  require_equal(run_fresh(open, in.frames()), codes, "without and with a job that was called off");
}

void close_during_run(const Open& open) {
  FrameBuffer in;
  Codes codes;
  {
    Session session(fresh(open), "the device");
    in = open.frames(session.info(), few(session.info()));  // a job of several batches would end between two of them
    Held held(session);
    const Ticket under_way = session.submit(in.frames()), waiting = session.submit(in.frames());
    // a job that was taken but has not yet shown its batch would be called off; one that fails never shows it
    for (int i = 0; i < 5000 && !held.gate->reached() && !under_way.ready(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::thread later([&] {
      for (int i = 0; i < 5000 && session.state() != SessionState::closed; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      held.gate->open();
    });
    session.close();
    later.join();
    append(under_way.frames(), codes);
    LIGHTLOOP_REQUIRE_THROWS(Cancelled, "a job waiting while the session was closed", waiting.wait());
    LIGHTLOOP_REQUIRE_THROWS(LinkError, "a job for a closed session", session.submit(in.frames()));
  }
  require_equal(codes, run_fresh(open, in.frames()), "closed during a run, and opened anew");
}

void reopen(const Open& open) {
  Session session(Session::Opener(open), "the device",
                  {{"reopen_s", 10.0}});  // one that stays away need not be awaited
  const DeviceInfo info = session.info();
  if (info.program) session.program(open.programme(*info.program).frames());
  const FrameBuffer in = open.frames(info, kFrames);
  const Settings before = session.settings().all();
  const Codes first = run(session, in.frames());
  session.reopen();
  require(before == session.settings().all(), "settings changed");
  session.continue_at(0);
  if (info.stateful) session.reset();
  require_equal(first, run(session, in.frames()), "before and after opening again");
}

void session_deadline(const Open& open) {
  Codes codes;
  FrameBuffer in;
  {
    Session session(fresh(open), "the device");
    in = open.frames(session.info(), kFrames);
    const auto now = std::chrono::steady_clock::now();
    LIGHTLOOP_REQUIRE_THROWS(Timeout, "a deadline that has passed",
                             run(session, in.frames(), {.deadline = now - std::chrono::seconds(1)}));
    codes = run(session, in.frames(), {.deadline = now + std::chrono::hours(1)});
  }
  require_equal(codes, run_fresh(open, in.frames()), "with a deadline and without");
}

void exposures(const Open& open) {
  const auto device = fresh(open);
  if (device->describe().pairing != Pairing::counted) throw Skipped{"the device does not number its exposures"};
  const FrameBuffer in = open.frames(device->describe(), kFrames);
  for (std::uint64_t before = 0; before < 2 * kFrames; before += kFrames) {
    std::uint64_t numbers[kFrames] = {};
    conformance::run(*device, in.frames(), {.numbers = numbers});
    for (std::uint64_t i = 0; i < kFrames; ++i)
      require(numbers[i] == before + i + 1,
              "exposure " + std::to_string(before + i + 1) + " says it is number " + std::to_string(numbers[i]));
  }
  conformance::run(*device, in.frames());  // nobody has to ask
}

}  // namespace

std::vector<Check> session_checks() {
  return {{"a Session's jobs are answered in order, and one too many is refused", queue},
          {"a job that is called off leaves no trace", cancel},
          {"a Session closed during a run ends it, and the device can be opened anew", close_during_run},
          {"opened again, it has the same settings, programme and answers", reopen},
          {"deadlines of a Session's jobs hold and do not change codes", session_deadline},
          {"exposures are numbered one by one where the description says so", exposures}};
}

}  // namespace lightloop::conformance
