#pragma once
// What every measure of a reservoir answers: a number that carries its convention with it.
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/array.hpp"
#include "core/error.hpp"

namespace lightloop {

struct Metric {
  std::string name;
  double value = 0;
  std::string convention;  ///< one line: formula, normalisation, every choice that changes the number
  std::vector<std::pair<std::string, std::vector<double>>> detail = {};

  /// Throws UnknownName.
  const std::vector<double>& at(const std::string& key) const {
    for (const auto& [name_of, values] : detail)
      if (name_of == key) return values;
    throw UnknownName("detail of " + name, key);
  }
};

/// Repeats of one measurement: R views of (T, N) states, the same drive each time, fresh noise.
using Repeats = std::span<const View<const double>>;

/// "1e-04", "0.35", "1000": numbers in conventions.
std::string shown(double value);

/// Throws ShapeMismatch unless there are at least `least` repeats, all of one shape with at least 2 rows and 1 column;
/// InvalidParameter for a number that is not finite.
void check_repeats(const char* who, Repeats repeats, std::size_t least);
/// The same for one matrix.
void check_states(const char* who, View<const double> states);

}  // namespace lightloop
