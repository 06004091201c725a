#pragma once
// A string that names several devices: the chips of a bench.
#include <string>
#include <vector>

namespace lightloop {

/// The devices that `text` names, in their order; one where it is a device string.
///
/// Device strings stand with commas between them: a piece "key=value" belongs to the string before it, one that names a
/// backend or a .toml file begins the next. {FIRST..LAST} outside of quotes counts, as in a shell:
/// "remote:lab:50051/m{0..3}" are four devices, "m{00..11}" twelve of two digits, two ranges all pairs (the last one
/// runs fastest). What a device file names is counted too. Throws InvalidParameter for a range that runs backwards,
/// OutOfRange for more than 4096 devices, FileError as parse_address.
std::vector<std::string> device_list(const std::string& text);
/// The commas alone.
std::vector<std::string> split_devices(const std::string& text);
/// The ranges alone: "run-{0..2}.h5" are three files.
std::vector<std::string> counted(const std::string& text);

}  // namespace lightloop
