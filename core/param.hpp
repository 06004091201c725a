#pragma once
// Parameters as data: a record says name, unit, default, range and help; everything else (checks, --help, docs, Python)
// reads it.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lightloop {

using Value = std::variant<bool, std::int64_t, double, std::string>;
/// Text without quotes, "true"/"false", numbers in the shortest form that reads back to the same bits.
std::string to_string(const Value& value);

/// One settable thing. The kind (bool, integer, real, text) is that of the default: write 8 as std::int64_t{8}, a real
/// as 8.0.
struct ParamInfo {
  std::string name;  ///< dotted: "camera.bits"
  std::string unit;  ///< SI unit, "1" for a pure number, "" for text and switches
  Value default_value;
  double min = 0, max = 0;                ///< inclusive, for numbers; an end may be infinite; min == max: unbounded
  std::string help;                       ///< one line, ends without a full stop
  std::vector<std::string> choices = {};  ///< for text; empty: anything
  bool needs_reopen = false;              ///< cannot be changed while the device is open
  /// Of a source of error (a noise, an imperfection, a converter's step): the value that takes it away, or the least of
  /// it that there is. Empty: no such source. Reports switch sources on and off by it.
  std::optional<Value> off = {};
  std::string only_with =
      {};  ///< "key=value|value,other": acts only while key (or this) is one of these; its size goes with other
};

/// What somebody asked for, not yet checked: dotted key -> value. Text may still carry a unit ("400 us").
using Settings = std::map<std::string, Value>;

/// Settings from "a=1,b=4.2 mA,c='x,y'" (the tail of a device string). A bare word becomes a switch (true, false), an
/// integer, a real or text; what stands in quotes is text, a doubled quote in it is one. Throws InvalidParameter.
Settings parse_settings(std::string_view text);
/// The inverse: parse_settings(format_settings(s)) == s, except that a real without a fraction comes back as an
/// integer.
std::string format_settings(const Settings& settings);
/// One "key=value" (a --set option); the value is everything after the first "=", a comma too.
std::pair<std::string, Value> parse_assignment(std::string_view text);
/// Settings from a TOML file, tables flattened with dots; an array of plain values becomes text joined by commas.
/// Throws FileError with line and column.
Settings read_toml(const std::string& path);
/// The entries whose key starts with `prefix` + ".", with that prefix removed.
Settings below(const Settings& all, std::string_view prefix);

/// Values of a fixed list of parameters; always complete, always valid.
class ParamSet {
 public:
  ParamSet() = default;
  /// All defaults. `owner` ("sim:opu") is named in error messages.
  ParamSet(std::string owner, std::vector<ParamInfo> infos);

  /// Checks all of `changes` (known key, right kind, unit, range, choice) before taking any. On throw nothing has
  /// changed.
  ///
  /// Text given for a number is read in the parameter's unit ("400 us"); a key may name the unit of a plain number
  /// instead ("exposure_s[us]" = 400). An integer may come as 8.0 but not as 8.5; a switch as true/false, on/off or
  /// yes/no. Throws UnknownName with the nearest known key, InvalidParameter or OutOfRange.
  void set(const Settings& changes);

  bool boolean(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double real(std::string_view name) const;  ///< integers are promoted
  const std::string& text(std::string_view name) const;

  const std::vector<ParamInfo>& infos() const { return infos_; }
  const Value& value(std::string_view name) const;
  bool is_default(std::string_view name) const;
  bool has(std::string_view name) const;
  /// Every value, in the order of the records.
  Settings all() const;

 private:
  std::size_t find(std::string_view name) const;
  std::string owner_;
  std::vector<ParamInfo> infos_;
  std::vector<Value> values_;
};

/// The known name nearest to `name` (edit distance), if any is near enough to be worth asking "did you mean".
std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& known);

}  // namespace lightloop
