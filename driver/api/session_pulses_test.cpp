// Programmes that move what is there: a link that is lost must not let them arrive twice.
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "driver/api/session.hpp"

namespace lightloop {
namespace {

/// One cell, moved by code - 8 or set to the code; what it holds is the answer to every frame.
struct Cell {
  int holds = 0;
  std::function<void()> after_program, at_snapshot;  ///< once
};

/// The cell of an instrument stays where it is when the link is lost; that of a simulator is another one.
class OneCell : public Device {
 public:
  OneCell(std::shared_ptr<Cell> cell, bool keeps_snapshots) : cell_(std::move(cell)), keeps_(keeps_snapshots) {
    info_.kind = "layer";
    info_.model = "cell";
    info_.input = {{1}, 4, "code"};
    info_.output = {{1}, 10, "code"};
    info_.program = FrameFormat{{1}, 4, "code"};
    info_.deterministic = info_.repeatable = true;
    params_ =
        ParamSet("cell", {{"program.mode", "", std::string("weights"), 0, 0, "what a code is", {"weights", "pulses"}}});
  }
  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }
  void configure(const Settings& changes) override { params_ = changed(changes); }
  RunReport run(ConstFrames in, Frames out, const RunOptions&) override {
    for (Index f = 0; f < in.count; ++f) out.set(f, 0, static_cast<std::uint32_t>(100 + cell_->holds));
    RunReport report;
    report.frames = report.codes = in.count;
    return report;
  }
  void program(ConstFrames codes) override {
    const int code = static_cast<int>(codes.at(0, 0));
    cell_->holds = params_.text("program.mode") == "pulses" ? cell_->holds + code - 8 : code;
    if (const auto action = std::exchange(cell_->after_program, nullptr)) action();
  }
  std::vector<std::byte> snapshot() const override {
    if (const auto action = std::exchange(cell_->at_snapshot, nullptr)) action();
    ByteWriter bytes;
    if (keeps_) bytes.put(cell_->holds);
    return bytes.take();
  }
  void restore(const std::vector<std::byte>& state) override {
    ByteReader bytes(state, "cell");
    if (keeps_) cell_->holds = bytes.get<int>();
    bytes.done();
  }
  void close() override {}

 private:
  std::shared_ptr<Cell> cell_;
  bool keeps_;
  DeviceInfo info_;
  ParamSet params_;
};

void program(Session& session, int code) {
  FrameBuffer codes({{1}, 4, ""}, 1);
  codes.frames().set(0, 0, static_cast<std::uint32_t>(code));
  session.program(std::as_const(codes).frames());
}

int held(Session& session) {
  FrameBuffer in({{1}, 4, ""}, 1), out({{1}, 10, ""}, 1);
  session.run(std::as_const(in).frames(), out.frames());
  return static_cast<int>(out.frames().at(0, 0)) - 100;
}

void mode(Session& session, const char* name) { session.configure({{"program.mode", std::string(name)}}); }

const auto kLost = [] { throw LinkError("cell", "the cable was pulled"); };
const auto kGarbled = [] { throw FrameError("cell", "the answer was damaged"); };

}  // namespace

TEST_CASE("pulses whose answer is lost are undone before they are sent again, where the device keeps snapshots") {
  for (const bool simulated : {true, false})
    for (const auto& fault : {std::function<void()>(kLost), std::function<void()>(kGarbled)}) {
      auto cell = std::make_shared<Cell>();
      Session session([&]() -> std::unique_ptr<Device> {
        if (simulated) cell = std::make_shared<Cell>();
        return std::make_unique<OneCell>(cell, true);
      });
      program(session, 5);
      mode(session, "pulses");
      program(session, 9);
      CHECK(held(session) == 6);
      cell->after_program = fault;
      program(session, 11);
      CHECK(held(session) == 9);  // 12 if they had arrived twice
      CHECK(session.meter().retries == 1);
      program(session, 7);
      CHECK(held(session) == 8);
    }
}

TEST_CASE("the first pulses of a device just opened are undone too") {
  const auto cell = std::make_shared<Cell>();
  cell->holds = 3;
  Session session([&] { return std::make_unique<OneCell>(cell, true); });
  mode(session, "pulses");
  cell->after_program = kLost;
  program(session, 10);
  CHECK(held(session) == 5);
}

TEST_CASE("pulses that cannot be undone are sent once: what the cells hold is then unknown until it is written") {
  for (const auto& fault : {std::function<void()>(kLost), std::function<void()>(kGarbled)}) {
    const auto cell = std::make_shared<Cell>();
    Session session([&] { return std::make_unique<OneCell>(cell, false); });
    program(session, 5);
    mode(session, "pulses");
    cell->after_program = fault;
    CHECK_THROWS_WITH(program(session, 11),
                      Catch::Contains("not sent again") && Catch::Contains("program.mode=weights"));
    CHECK(cell->holds == 8);
    CHECK_THROWS_AS(program(session, 11), LinkError);
    CHECK_THROWS_WITH(held(session), Catch::Contains("nobody knows what its cells hold"));
    CHECK(cell->holds == 8);
    mode(session, "weights");
    program(session, 4);
    mode(session, "pulses");
    program(session, 9);
    CHECK(held(session) == 5);
  }
}

TEST_CASE("pulses are undone too where a session gives up, or what comes after them fails") {
  const auto cell = std::make_shared<Cell>();
  const auto begun = [&](const Settings& policy, bool opens = true) {
    auto session =
        opens ? std::make_unique<Session>([cell] { return std::make_unique<OneCell>(cell, true); }, "cell", policy)
              : std::make_unique<Session>(std::make_unique<OneCell>(cell, true), "cell", policy);
    program(*session, 5);
    mode(*session, "pulses");
    program(*session, 9);
    return session;
  };
  const std::function<void()> faults[] = {kLost, kGarbled, [] { throw std::runtime_error("anything else"); }};
  for (const bool opens : {true, false})
    for (const auto& fault : faults) {
      const auto session = begun({{"retries", std::int64_t{0}}}, opens);
      cell->after_program = fault;
      CHECK_THROWS(program(*session, 11));
      CHECK(held(*session) == 6);
      program(*session, 11);
      CHECK(held(*session) == 9);
    }
  const auto session = begun({});
  cell->after_program = [&] { cell->at_snapshot = kGarbled; };
  program(*session, 11);
  CHECK(held(*session) == 9);

  const auto hasty = begun({{"deadline_s", 0.05}}, false);
  cell->after_program = [] { std::this_thread::sleep_for(std::chrono::milliseconds(300)); };
  CHECK_THROWS_AS(program(*hasty, 11), WaitTimeout);
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  CHECK(held(*hasty) == 6);
}

TEST_CASE("opening again does not repeat the last pulses of a device without snapshots") {
  const auto cell = std::make_shared<Cell>();
  Session session([&] { return std::make_unique<OneCell>(cell, false); });
  program(session, 5);
  mode(session, "pulses");
  program(session, 9);
  session.reopen();
  CHECK(cell->holds == 6);
  CHECK_THROWS_AS(held(session), LinkError);
  mode(session, "weights");
  program(session, 2);
  CHECK(held(session) == 2);
  session.reopen();  // weights are written again, as often as one likes
  CHECK(held(session) == 2);
  mode(session, "pulses");
  session.reopen();
  CHECK(cell->holds == 2);  // but not as if they were pulses
  CHECK_THROWS_AS(held(session), LinkError);
}

}  // namespace lightloop
