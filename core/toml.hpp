#pragma once
// A TOML file as it is written, for those to whom the order of its keys and the kinds of its arrays matter. What only
// wants settings calls read_toml() (core/param.hpp).
#include <string>
#include <utility>
#include <vector>

#include "core/param.hpp"

namespace lightloop {

/// One value of a TOML file: text, number or switch; an array; or a table, its entries in the order of the file.
struct Toml {
  enum class Kind { value, array, table };
  Kind kind = Kind::table;
  Value value = {};
  std::vector<Toml> items = {};
  std::vector<std::pair<std::string, Toml>> entries = {};
  std::string place = {};  ///< "file.toml:3:7"

  const Toml* find(const std::string& key) const {
    for (const auto& [name, entry] : entries)
      if (name == key) return &entry;
    return nullptr;
  }
};

/// Throws FileError with line and column, for dates and times, too.
Toml read_toml_tree(const std::string& path);
/// Everything in a table by its dotted key; arrays of plain values become text joined by commas. Throws FileError for a
/// number that is not finite, an array of arrays or tables, a key given twice.
Settings flattened(const Toml& table);

}  // namespace lightloop
