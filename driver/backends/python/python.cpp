#include "driver/backends/python/python.hpp"

#include <mutex>

#include "core/error.hpp"
#include "driver/backends/python/interpreter.hpp"

namespace lightloop::python {
namespace {
struct Shared {
  std::mutex mutex;
  Hook hook;
};
Shared& shared() {
  static Shared one;
  return one;
}

/// The hook, after the package has been imported if it has to be.
Hook hook() {
  const auto present = [] {
    const std::lock_guard lock(shared().mutex);
    return shared().hook;
  };
  Hook found = present();
  if (found.open) return found;
  import_package();
  found = present();
  if (!found.open)
    throw Unsupported("python: devices", "the package lightloop was imported, but belongs to another library", "",
                      "Install the package and the program from the same version.");
  return found;
}
}  // namespace

void set_hook(Hook hook) {
  const std::lock_guard lock(shared().mutex);
  shared().hook = std::move(hook);
}

Backend backend() {
  Backend python = [](const DeviceAddress& address, const Registry&) { return hook().open(address); };
  python.params = [](const DeviceAddress& address, const Registry&) { return hook().params(address); };
  python.twin = [](const DeviceAddress& address, const Registry&) { return hook().twin(address); };
  return python;
}

}  // namespace lightloop::python
