#pragma once
// One file over HTTP: the only place that knows libcurl.
#include <cstdint>
#include <functional>
#include <string>

namespace lightloop {

/// Writes what `url` answers to the file `path`. Returns the reason of a failure, "" after success; more than
/// `most_bytes` is a failure. `on_progress` is called with the bytes received and may return false to give up.
std::string fetch(const std::string& url, const std::string& path, std::int64_t most_bytes,
                  const std::function<bool(std::int64_t done)>& on_progress);
bool can_fetch();

}  // namespace lightloop
