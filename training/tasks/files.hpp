#pragma once
// Where the data of tasks are found.
#include <string>

namespace lightloop {

/// The first of the data folders (data_dir, $LIGHTLOOP_DATA, ~/.cache/lightloop) that holds `name` ("folder/file"), or
/// the file alone. Throws FileError with every place looked at; `hint` says what the file is.
std::string find_data_file(const std::string& name, const std::string& data_dir, const std::string& hint);

}  // namespace lightloop
