#pragma once
#include "driver/api/registry.hpp"

/// plugin:VENDOR.MODEL is a device of a shared object found in LIGHTLOOP_PLUGIN_PATH (folders or files, separated by
/// colons), behind the C interface of <lightloop/plugin.h>.
///
/// A library is loaded when plugins are first asked for, and stays: its code then runs in this process, so a library
/// that crashes takes the program along (`lightloop serve --device plugin:...` puts it into a process of its own). What
/// it says is checked: descriptions, sizes, counts, codes and costs that cannot be are a DeviceError naming it.
namespace lightloop::plugin {

/// Opening throws UnknownName with what was found and what could not be loaded; DeviceError; what the plugin reports.
Backend backend();

}  // namespace lightloop::plugin
