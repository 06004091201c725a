#include "driver/api/discover.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "core/error.hpp"

namespace lightloop {
namespace {
using Clock = std::chrono::steady_clock;

/// One question and its answer. Shared with the thread that works on it, which may outlive everybody else.
struct Question {
  std::string who;  ///< named when it does not answer
  std::function<std::vector<Found>()> ask;
  std::optional<std::vector<Found>> answer = {};
};

struct Shared {
  std::mutex mutex;
  std::condition_variable answered;
  std::vector<Question> questions;
  Registry registry;
};

std::string one_line(const DeviceInfo& info) {
  std::string text = info.kind + ", " + info.model;
  if (!info.serial.empty()) text += ", serial " + info.serial;
  return text + ", " + std::to_string(info.input.size()) + " inputs of " + std::to_string(info.input.bits) + " bit, " +
         std::to_string(info.output.size()) + " outputs of " + std::to_string(info.output.bits) + " bit";
}

Found look_at(const Found& configured, const Registry& registry) {
  Found found = configured;
  const std::string name = configured.summary.empty() ? "" : configured.summary + ": ";
  try {
    const auto device = registry.open(configured.address);
    found.summary = name + one_line(device->describe());
    device->close();
  } catch (const std::exception& error) {
    found.problem = error.what();
  }
  return found;
}

void answer(const std::shared_ptr<Shared>& shared, std::size_t which) {
  const Question& question = shared->questions[which];
  std::vector<Found> found;
  try {
    found = question.ask();
  } catch (const std::exception& error) {
    found = {{question.who, "", error.what()}};
  } catch (...) {
    found = {{question.who, "", "something was thrown that is not a std::exception"}};
  }
  const std::lock_guard lock(shared->mutex);
  shared->questions[which].answer = std::move(found);
  shared->answered.notify_all();
}
}  // namespace

std::vector<Found> discover(const Registry& registry, const std::vector<Found>& configured,
                            std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  const auto shared = std::make_shared<Shared>();
  shared->registry = registry;
  std::vector<Found> all;
  for (const std::string& prefix : registry.backends())
    if (const auto& look = registry.backend(prefix).discover)
      shared->questions.push_back({prefix + ":", [look, deadline] { return look(deadline); }});
  for (const Found& device : configured) {
    if (!device.problem.empty())
      all.push_back(device);
    else
      shared->questions.push_back(
          {device.address, [device, state = shared.get()] { return std::vector{look_at(device, state->registry)}; }});
  }
  for (std::size_t i = 0; i < shared->questions.size(); ++i) std::thread(answer, shared, i).detach();

  std::unique_lock lock(shared->mutex);
  const auto complete = [&] {
    return std::ranges::all_of(shared->questions, [](const Question& q) { return q.answer.has_value(); });
  };
  shared->answered.wait_until(lock, deadline, complete);
  for (const Question& question : shared->questions) {
    if (question.answer)
      all.insert(all.end(), question.answer->begin(), question.answer->end());
    else
      all.push_back({question.who, "", "no answer within " + std::to_string(limit.count()) + " ms"});
  }
  std::ranges::stable_sort(all, {}, &Found::address);
  return all;
}

std::vector<Found> configured_devices() {
  const char* path = std::getenv("LIGHTLOOP_DEVICES");
  if (path == nullptr || *path == '\0') return {};
  std::vector<Found> listed;
  try {
    for (const auto& [key, value] : read_toml(path)) {
      if (!key.starts_with("devices."))
        throw UnknownName(std::string(path) + " key", key, "", "List devices in the table [devices]: lab = \"...\".");
      listed.push_back({to_string(value), key.substr(std::string_view("devices.").size()), ""});
    }
  } catch (const Error& error) {
    return {{path, "", error.what()}};
  }
  return listed;
}

}  // namespace lightloop
