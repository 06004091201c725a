#pragma once
// Whole files: read, or written so that a reader sees the old content or the new one and never a part.
#include <string>
#include <string_view>

namespace lightloop {

/// The content of a file. Throws FileError naming it and the reason.
std::string read_file(const std::string& path);

/// Throws FileError when `path` could not be written: its folder is missing or closed to us, or it is a folder itself.
void check_writable(const std::string& path);

/// Where a file is prepared before it takes its name: PATH.tmp-PID.
std::string temporary_name(const std::string& path);
/// Removes PATH.tmp-* left by processes that no longer live.
void remove_stale_temporaries(const std::string& path);
/// fsyncs `temporary`, renames it to `path` and fsyncs the folder. Throws FileError; the temporary is then removed.
void publish_file(const std::string& temporary, const std::string& path);

/// Writes `content` through a temporary file. Throws FileError (disk full included) and leaves nothing behind.
void write_file(const std::string& path, std::string_view content);

}  // namespace lightloop
