#pragma once
// What the measures said at one point.
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/bytes.hpp"
#include "core/param.hpp"
#include "training/metrics/metric.hpp"

namespace lightloop::sweeps {

/// Kinds of numbers, narrow ones first; the values stand in files.
enum class Number : std::uint8_t { boolean = 0, u8 = 1, u16 = 2, i64 = 3, f32 = 4, f64 = 5 };
std::size_t size_of(Number type);
bool is_real(Number type);
/// The narrowest kind that holds both without loss (integers beyond 2^53 apart).
Number wider(Number a, Number b);

/// An array with its name and what is to be known of it.
struct Variable {
  std::string name, unit = "1", long_name = {};
  std::vector<std::string> dims = {};                          ///< one name per axis of its own
  std::map<std::string, std::vector<Value>> coordinates = {};  ///< of those that have any
  Number type = Number::f64;
  std::vector<Index> shape = {};
  std::vector<std::byte> bytes = {};  ///< row-major

  Index size() const;
  double at(Index i) const;
};
/// `variable` in another kind of number.
std::vector<std::byte> converted(const Variable& variable, Number type);

struct Record {
  std::vector<Variable> values = {};
  std::string failure = {};                                  ///< why there are none
  double time_s = std::numeric_limits<double>::quiet_NaN();  ///< when it was measured, on a bench

  const Variable* find(const std::string& name) const;
  /// Adds the value of a metric, its convention as the variable's long name.
  void add(const std::string& name, const Metric& metric);
};

std::vector<std::byte> to_bytes(const Record& record);
/// Throws InvalidParameter for bytes that are none of a record's.
Record record_from(std::span<const std::byte> bytes);

/// Refuses a measure that answers with another shape than before, as soon as it does.
class Alike {
 public:
  /// Throws ShapeMismatch, which names the point.
  void check(const Record& record, const std::string& where);

 private:
  std::map<std::string, std::vector<Index>> shapes_;
};

}  // namespace lightloop::sweeps
