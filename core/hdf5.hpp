#pragma once
// A small face for HDF5's C API: self-describing files, written whole or not at all.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/param.hpp"

namespace lightloop::h5 {

/// A dataset as read: its shape and numbers.
struct Array {
  std::vector<Index> shape;
  std::vector<double> values;
};

/// Builds a file in memory; commit() writes it to FILE.tmp-PID, fsyncs, renames it over FILE and fsyncs the folder.
/// Without commit, or when it fails, nothing is left and an older FILE stays.
///
/// Paths are absolute inside the file ("/curves/loss"); groups are made as needed. Every dataset gets an attribute
/// "units" unless `unit` is empty. Text is variable-length UTF-8, an integer 64 bits, a switch 8 unsigned bits. Throws
/// FileError (disk full included), ShapeMismatch when values and shape differ in size. One thread at a time.
class Writer {
 public:
  explicit Writer(std::string path);  ///< "": in memory only, for image()
  ~Writer();
  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;

  /// Sets an attribute of a dataset or group ("/" is the file); a group that does not exist is made.
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
  void write_texts(const std::string& path, const std::vector<std::string>& texts);  ///< one-dimensional
  /// Every setting as an attribute of `group`, its unit as "<name>.unit".
  void parameters(const std::string& group, const ParamSet& params);
  /// Makes `scale` (a 1-D dataset) dimension `axis` of `dataset`: netCDF-4 readers then find the coordinate. A file is
  /// valid netCDF-4 when every axis of every dataset has one; the scale's own axis needs none.
  void dimension(const std::string& dataset, Index axis, const std::string& scale);
  /// A dimension without coordinate values, to be attached with `dimension`.
  void bare_dimension(const std::string& scale, Index size);
  /// The file as it stands now appears under its name. May be called again after more was written.
  void commit();
  /// The bytes that commit() would write.
  std::string image() const;

 private:
  struct Impl;
  template <class T>
  void write_numbers(const std::string& path, std::span<const T> values, const std::vector<Index>& shape,
                     const std::string& unit);
  std::unique_ptr<Impl> impl_;
};

/// Reads a file, also one whose writer was killed or still appends (core/hdf5_stream.hpp). Every failure is a FileError
/// naming file, object and remedy.
class Reader {
 public:
  explicit Reader(std::string path);
  ~Reader();
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;

  const std::string& path() const;
  bool exists(const std::string& path) const;
  bool is_group(const std::string& path) const;
  std::vector<std::string> children(const std::string& group) const;  ///< names, sorted
  std::vector<Index> shape(const std::string& path) const;
  std::string unit(const std::string& path) const;  ///< "" when there is none
  /// Integers and reals as double (exact up to 2^53).
  Array read(const std::string& path) const;
  void read(const std::string& path, std::span<float> out) const;  ///< size must match
  /// Whether `read_bytes` may read it.
  bool holds_bytes(const std::string& path) const;
  /// Whether its numbers are stored as integers, of any size; an h5py boolean counts.
  bool holds_integers(const std::string& path) const;
  /// A dataset of 8-bit integers; wider ones are refused, because they would be clipped.
  std::vector<std::uint8_t> read_bytes(const std::string& path) const;
  /// Rows first to first + count - 1 of a dataset of exactly these numbers; throws ShapeMismatch, FileError.
  void read_rows(const std::string& path, Index first, Index count, std::span<std::uint8_t> out) const;
  void read_rows(const std::string& path, Index first, Index count, std::span<std::uint16_t> out) const;
  std::string read_text(const std::string& path) const;
  std::vector<std::string> read_texts(const std::string& path) const;  ///< of a one-dimensional dataset
  /// Whether a dataset is text rather than numbers.
  bool holds_text(const std::string& path) const;
  /// Names of the coordinates along each axis of a dataset, as Writer::dimension attached them; "" where there is none.
  std::vector<std::string> dimensions(const std::string& path) const;
  /// Whether a dataset is a coordinate that others may be attached to.
  bool is_dimension(const std::string& path) const;
  bool has_attribute(const std::string& object, const std::string& name) const;
  /// One switch, number or text; throws FileError for an attribute that is none of these.
  Value attribute(const std::string& object, const std::string& name) const;
  std::vector<std::string> attribute_texts(const std::string& object, const std::string& name) const;
  /// Whether an attribute is a list, of texts or of numbers.
  bool holds_list(const std::string& object, const std::string& name) const;
  /// Sorted; without those HDF5 keeps for dimension scales.
  std::vector<std::string> attribute_names(const std::string& object) const;
  /// What Writer::parameters wrote, without the units.
  Settings parameters(const std::string& group) const;

 private:
  struct Impl;
  template <class T>
  void read_some(const std::string& path, Index first, Index count, std::span<T> out) const;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lightloop::h5
