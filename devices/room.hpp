#pragma once
// Whether what a device simulates fits into memory: asked before any of it is made.
#include <string>

namespace lightloop {

/// Throws OutOfRange for tables of so many bytes: more than 64 GiB, or than this computer or the limit on this process
/// (ulimit -v) leaves room for. `what` is named ("sim:crossbar cells"), `hint` says what to lower.
void check_room(const std::string& what, double bytes, const std::string& hint);

}  // namespace lightloop
