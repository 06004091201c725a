#pragma once
// One device that the conformance suite opened, answering from its part of the recording. Internal to replay.
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "driver/api/device.hpp"
#include "driver/recorder/tape.hpp"

namespace lightloop::replay {

/// A recording of the suite, shared by the devices of a check.
struct CheckTape {
  explicit CheckTape(const std::string& path) : tape(path) {}
  std::mutex mutex;  ///< of the file
  const recording::Tape tape;
};

/// The calls of one device, and how many have been asked again.
struct Part {
  std::string claim;
  std::vector<std::size_t> calls;  ///< into CheckTape::tape.calls(); the first is the opening
  std::size_t asked = 0;
};

/// Asks the opening, then the calls one after the other. Throws FileError, naming the place, where what is asked
/// is not what was recorded there, and what the opening threw.
std::unique_ptr<Device> recall(std::shared_ptr<CheckTape> tape, std::shared_ptr<Part> part, const Settings& settings);

}  // namespace lightloop::replay
