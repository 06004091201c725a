#pragma once
// How a sweep writes values down: as JSON where it is hashed or kept in a file, as Python writes them where a point is
// named. Both are the forms of Python's json.dumps(sort_keys=True) and repr(), because sweeps are asked for in Python
// and in C++ and a point must have one key.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/param.hpp"

namespace lightloop::sweeps {

/// "0.1", "1e-06", "1000000000000.0": the shortest digits that read back to the same bits, always marked as a real.
std::string repr(double value);
/// As Python shows a value in a list: text in quotes, control characters as \xNN, True and False. What is unprintable
/// beyond Latin-1 stands as it is.
std::string repr(const Value& value);
/// The same, text without its quotes.
std::string shown(const Value& value);

/// JSON; text beyond ASCII as \uXXXX.
std::string json(const std::string& text);
std::string json(const Value& value);
std::string json(const Settings& values);  ///< an object, keys sorted
std::string json(const std::vector<Value>& values);
/// "[a, b]" of parts that are JSON already.
std::string json_array(const std::vector<std::string>& parts);

}  // namespace lightloop::sweeps
