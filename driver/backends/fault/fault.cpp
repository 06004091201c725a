#include "driver/backends/fault/fault.hpp"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <thread>

#include "core/error.hpp"
#include "driver/backends/fault/script.hpp"

namespace lightloop::fault {
namespace {

using Seconds = std::chrono::duration<double>;

class Faulty : public Device {
 public:
  Faulty(std::string name, Script script, std::shared_ptr<History> history, std::unique_ptr<Device> inner)
      : name_(std::move(name)), script_(std::move(script)), history_(std::move(history)), inner_(std::move(inner)) {
    take_description();
  }

  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return inner_->settings(); }
  void configure(const Settings& changes) override {
    check_link();
    inner_->configure(changes);
    take_description();
  }
  void program(ConstFrames codes) override {
    check_link();
    inner_->program(codes);
    take_description();
  }
  void reset() override {
    check_link();
    inner_->reset();
  }
  std::vector<std::byte> snapshot() const override {
    check_link();
    return inner_->snapshot();
  }
  void restore(const std::vector<std::byte>& state) override {
    check_link();
    inner_->restore(state);
    take_description();
  }
  SelfTest self_test() override {
    check_link();
    return inner_->self_test();
  }
  std::vector<Monitor> monitors() const override {
    std::vector<Monitor> all = inner_->monitors();
    for (const auto& [kind, count] : history_->injected()) all.push_back({"fault." + kind, "1", double(count)});
    return all;
  }
  void close() override { inner_->close(); }

  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    check_link();
    check_frames(in, out, options);
    history_->begin_call();
    before(in.count, options);
    RunOptions inside = options;
    inside.numbers = nullptr;  // the wrapper counts for itself
    RunReport report = inner_->run(in, out, inside);
    if (in.count == 0) return report;
    if (script_.faults.empty()) {
      if (options.numbers) std::iota(options.numbers, options.numbers + in.count, next_exposure_);
      next_exposure_ += static_cast<std::uint64_t>(in.count);
      return report;
    }
    misplace(out, options);
    for (Index i = 0; i < out.count; ++i) report.saturated += spoil(out, i, id(options, i));
    return report;
  }

 private:
  static std::uint64_t id(const RunOptions& options, Index frame) {
    return options.first_frame_id + static_cast<std::uint64_t>(frame);
  }
  void check_link() const {
    if (gone_) throw LinkError(name_, "the link is down", "", "Open the device again.");
  }
  void take_description() {
    info_ = inner_->describe();
    info_.pairing = script_.counted ? Pairing::counted : Pairing::unknown;
  }
  template <class Body>
  void each(std::initializer_list<Kind> kinds, Body&& body) {
    for (std::size_t i = 0; i < script_.faults.size(); ++i)
      if (std::ranges::find(kinds, script_.faults[i].kind) != kinds.end()) body(i, script_.faults[i]);
  }

  /// What comes before a picture is taken.
  void before(Index count, const RunOptions& options) {
    each({Kind::delay, Kind::hang, Kind::disconnect}, [&](std::size_t i, const Fault& fault) {
      for (Index frame = 0; frame < count; ++frame) {
        if (!fault.begins(id(options, frame)) || !history_->strike(script_, i, id(options, frame))) continue;
        if (fault.kind == Kind::disconnect) {
          gone_ = true;
          history_->refuse_openings(fault.attempts);
          throw LinkError(name_, "the link broke at frame " + std::to_string(id(options, frame)));
        }
        const auto until = std::chrono::steady_clock::now() +
                           std::chrono::duration_cast<std::chrono::steady_clock::duration>(Seconds(fault.seconds));
        const bool heeds = fault.kind == Kind::delay && options.deadline;
        std::this_thread::sleep_until(heeds ? std::min(until, *options.deadline) : until);
        if (fault.kind == Kind::delay) check_deadline(options, name_);
      }
    });
  }

  /// Pictures that are missing, doubled or late, and what the counter of the camera says.
  void misplace(const Frames& out, const RunOptions& options) {
    const Index count = out.count;
    std::vector<Index> shown(static_cast<std::size_t>(count));  // exposure in every place; -1: the one before
    std::iota(shown.begin(), shown.end(), Index{0});
    bool hidden = true;
    Index extra = 0;
    each({Kind::drop, Kind::duplicate, Kind::shift}, [&](std::size_t i, const Fault& fault) {
      const Index last = fault.kind == Kind::duplicate ? count - 1 : count;  // a copy of the last picture would be lost
      for (Index frame = 0; frame < last; ++frame) {
        if (!fault.begins(id(options, frame)) || !history_->strike(script_, i, id(options, frame))) continue;
        hidden = hidden && fault.hidden;
        const auto place = shown.begin() + frame;
        if (fault.kind == Kind::drop) {
          shown.erase(place);
          shown.push_back(count + extra++);
        } else {
          const Index again = fault.kind == Kind::duplicate ? *place : Index{-1};
          shown.insert(fault.kind == Kind::duplicate ? place : shown.begin(), again);
          shown.pop_back();
        }
      }
    });
    if (options.numbers)
      for (Index i = 0; i < count; ++i) {
        const Index place = hidden ? i : shown[static_cast<std::size_t>(i)];
        options.numbers[i] = next_exposure_ + static_cast<std::uint64_t>(place);  // -1 wraps to the one before
      }
    next_exposure_ += static_cast<std::uint64_t>(count + (hidden ? 0 : extra));
    const auto bytes = static_cast<std::size_t>(out.size * out.bytes);
    const auto picture = [&](Index i) {
      return static_cast<std::byte*>(out.data) + static_cast<std::size_t>(i) * bytes;
    };
    const std::vector<std::byte> taken(picture(0), picture(count));
    previous_.resize(bytes);  // dark before the first
    for (Index i = 0; i < count; ++i) {
      const Index from = std::min(shown[static_cast<std::size_t>(i)], count - 1);
      if (from != i)
        std::memcpy(picture(i), from < 0 ? previous_.data() : taken.data() + static_cast<std::size_t>(from) * bytes,
                    bytes);
    }
    previous_.assign(taken.end() - static_cast<std::ptrdiff_t>(bytes), taken.end());
  }

  /// One picture that is not what it should be; returns codes that saturated.
  std::int64_t spoil(const Frames& out, Index frame, std::uint64_t id) {
    std::int64_t saturated = 0;
    const std::uint32_t highest = info_.output.highest();
    each({Kind::saturate, Kind::mode_hop, Kind::warm_up, Kind::corrupt}, [&](std::size_t i, const Fault& fault) {
      if (fault.kind == Kind::warm_up) {
        const double gain = 1 - fault.depth * std::exp(-static_cast<double>(id) / static_cast<double>(fault.frames));
        for (Index k = 0; k < out.size; ++k)
          out.set(frame, k, static_cast<std::uint32_t>(std::lround(gain * out.at(frame, k))));
        return;
      }
      if (!fault.covers(id) || !history_->strike(script_, i, id)) return;
      if (fault.kind == Kind::saturate) {
        for (Index k = 0; k < out.size; ++k) {
          saturated += out.at(frame, k) != highest;
          out.set(frame, k, highest);
        }
      } else if (fault.kind == Kind::mode_hop) {
        std::vector<std::uint32_t> codes;
        for (Index k = 0; k < out.size; ++k) codes.push_back(out.at(frame, (k + out.size / 2 + 1) % out.size));
        for (Index k = 0; k < out.size; ++k) out.set(frame, k, codes[static_cast<std::size_t>(k)]);
      } else {
        const auto sent = checksum(out, frame);
        flip(fault, out, frame, id);
        if (!fault.hidden && checksum(out, frame) != sent)
          throw FrameError(name_, "frame " + std::to_string(id) + ": the checksum differs");
      }
    });
    return saturated;
  }
  static unsigned long checksum(const Frames& out, Index frame) {
    const auto bytes = static_cast<std::size_t>(out.size * out.bytes);
    return ::crc32(0, static_cast<const unsigned char*>(out.data) + static_cast<std::size_t>(frame) * bytes,
                   static_cast<unsigned>(bytes));
  }
  void flip(const Fault& fault, const Frames& out, Index frame, std::uint64_t id) const {
    std::vector<std::uint32_t> words(static_cast<std::size_t>(fault.bits));
    fault.stream.words(id, 4, words);
    for (const std::uint32_t word : words) {
      const Index bit = static_cast<Index>(word) % (out.size * info_.output.bits);
      const Index code = bit / info_.output.bits;
      out.set(frame, code, out.at(frame, code) ^ (1u << (bit % info_.output.bits)));
    }
  }

  std::string name_;
  Script script_;
  std::shared_ptr<History> history_;
  std::unique_ptr<Device> inner_;
  DeviceInfo info_;
  bool gone_ = false;
  std::uint64_t next_exposure_ = 1;
  std::vector<std::byte> previous_;
};

struct Parts {
  std::string script, inner;
};

Parts parts(const DeviceAddress& address) {
  const std::size_t at = address.target.find('@');
  if (at == std::string::npos || at == 0 || at + 1 == address.target.size())
    throw InvalidParameter("device fault:" + address.target, "names no script or no device", "",
                           "Write fault:script.toml@sim:opu,seed=1.");
  return {address.target.substr(0, at), address.target.substr(at + 1)};
}

/// The histories of all addresses that one registry has opened.
struct Histories {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<History>> of;
  std::shared_ptr<History> operator[](const std::string& target) {
    const std::lock_guard lock(mutex);
    auto& history = of[target];
    if (!history) history = std::make_shared<History>();
    return history;
  }
};

}  // namespace

Backend backend() {
  Backend backend([histories = std::make_shared<Histories>()](const DeviceAddress& address,
                                                              const Registry& registry) -> std::unique_ptr<Device> {
    const Parts of = parts(address);
    Script script = read_script(of.script);
    const std::string name = "fault:" + address.target;
    const auto history = (*histories)[address.target];
    if (history->refuses_opening()) throw LinkError(name, "does not answer", "", "The script has disconnected it.");
    return std::make_unique<Faulty>(name, std::move(script), history, registry.open(of.inner, address.settings));
  });
  backend.params = [](const DeviceAddress& address, const Registry& registry) {
    return registry.open_params(parts(address).inner);
  };
  backend.twin = [](const DeviceAddress& address, const Registry& registry) {
    return registry.twin(parts(address).inner, address.settings);
  };
  return backend;
}

}  // namespace lightloop::fault
