// What a Session costs beside the device itself, for one frame of 64 codes and for a batch of 4 MB.
#include <benchmark/benchmark.h>

#include <cstring>

#include "driver/api/session.hpp"

namespace {
using namespace lightloop;

/// Gives back what it is shown.
class Mirror : public Device {
 public:
  explicit Mirror(Index size) {
    info_.kind = "projection";
    info_.model = "mirror";
    info_.input = info_.output = {{size}, 8, "code"};
    info_.cost = {.frame_s = 1e-6, .power_w = 1};
  }
  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return none_; }
  void configure(const Settings& changes) override { changed(changes); }
  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    check_frames(in, out, options);
    std::memcpy(out.data, in.data, static_cast<std::size_t>(in.count * in.size));
    return {in.count, in.count * in.size, 0, 1e-6, 1e-6};
  }
  void close() override {}

 private:
  DeviceInfo info_;
  ParamSet none_{"mirror", {}};
};

struct Memory {
  explicit Memory(const benchmark::State& state)
      : size(state.range(0)), in({{size}, 8, ""}, state.range(1)), out({{size}, 8, ""}, state.range(1)) {}
  Index size;
  FrameBuffer in, out;
};

void device_alone(benchmark::State& state) {
  Memory memory(state);
  Mirror device(memory.size);
  for (auto _ : state) device.run(memory.in.frames(), memory.out.frames(), {});
}

void session_run(benchmark::State& state) {
  Memory memory(state);
  Session session(std::make_unique<Mirror>(memory.size));
  for (auto _ : state) session.run(memory.in.frames(), memory.out.frames());
}

void session_run_with_deadline(benchmark::State& state) {
  Memory memory(state);
  Session session(std::make_unique<Mirror>(memory.size), "mirror", {{"deadline_s", 60.0}});
  for (auto _ : state) session.run(memory.in.frames(), memory.out.frames());
}

void session_four_tickets(benchmark::State& state) {
  Memory memory(state);
  Session session(std::make_unique<Mirror>(memory.size));
  for (auto _ : state) {
    Ticket tickets[4];
    for (Ticket& ticket : tickets) ticket = session.submit(memory.in.frames());
    for (const Ticket& ticket : tickets) ticket.wait();
  }
}

}  // namespace

BENCHMARK(device_alone)->Args({64, 1})->Args({4096, 1024})->UseRealTime();
BENCHMARK(session_run)->Args({64, 1})->Args({4096, 1024})->UseRealTime();
BENCHMARK(session_run_with_deadline)->Args({64, 1})->Args({4096, 1024})->UseRealTime();
BENCHMARK(session_four_tickets)->Args({64, 1})->Args({4096, 1024})->UseRealTime();
