#pragma once
// A small face for HDF5's C API: self-describing files, written whole or not at all, or appended so that kill -9 loses
// nothing.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/param.hpp"

namespace lightloop::h5 {

/// A dataset as read: its shape and numbers (converted to double) or bytes.
struct Array {
  std::vector<Index> shape;
  std::vector<double> values;
};

/// Writes FILE.tmp-PID, and at commit() fsyncs, renames it over FILE and fsyncs the folder. Without commit nothing is
/// left.
///
/// Paths are absolute inside the file ("/curves/loss"); groups are made as needed. Throws FileError (disk full
/// included).
class Writer {
 public:
  explicit Writer(std::string path);
  ~Writer();
  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;

  void attribute(const std::string& object, const std::string& name, const Value& value);
  void attribute(const std::string& object, const std::string& name, const std::vector<std::string>& values);
  void write(const std::string& path, std::span<const float> values, std::vector<Index> shape, const std::string& unit);
  void write(const std::string& path, std::span<const double> values, std::vector<Index> shape,
             const std::string& unit);
  void write(const std::string& path, std::span<const std::int64_t> values, std::vector<Index> shape,
             const std::string& unit);
  void write(const std::string& path, std::span<const std::uint8_t> values, std::vector<Index> shape,
             const std::string& unit);
  void write(const std::string& path, std::span<const std::uint16_t> values, std::vector<Index> shape,
             const std::string& unit);
  void write_text(const std::string& path, const std::string& text);
  /// Every setting as an attribute of `group`, its unit as "<name>.unit".
  void parameters(const std::string& group, const ParamSet& params);
  /// Makes `scale` (a 1-D dataset) dimension `axis` of `dataset`: netCDF-4 readers then find the coordinate.
  void dimension(const std::string& dataset, Index axis, const std::string& scale);
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads a file; every failure is a FileError naming file, object and remedy.
class Reader {
 public:
  explicit Reader(std::string path);
  ~Reader();
  bool exists(const std::string& path) const;
  std::vector<std::string> children(const std::string& group) const;
  std::vector<Index> shape(const std::string& path) const;
  Array read(const std::string& path) const;
  void read(const std::string& path, std::span<float> out) const;  ///< size must match
  std::vector<std::uint8_t> read_bytes(const std::string& path) const;
  std::string read_text(const std::string& path) const;
  bool has_attribute(const std::string& object, const std::string& name) const;
  Value attribute(const std::string& object, const std::string& name) const;
  std::vector<std::string> attribute_names(const std::string& object) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lightloop::h5
