#pragma once
// Recordings that grow row by row and survive kill -9: HDF5's single-writer-multiple-reader mode, used with care.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/param.hpp"

namespace lightloop::h5 {

/// One dataset of a recording; every row has the same shape.
struct Column {
  enum class Kind { float32, float64, int64, uint8, uint16 };
  std::string path;          ///< absolute: "/device/codes"
  Kind kind;                 ///< of the numbers in the file
  std::vector<Index> shape;  ///< of one row; empty for one number
  std::string unit;          ///< as attribute "units"; "" for none
};

/// Appends rows to a file of fixed layout: each column is a dataset (rows, shape...), stored in chunks of
/// `rows_per_chunk` rows, uncompressed (rewriting part of a compressed chunk leaks space).
///
/// A full chunk is flushed as it is completed. Rows counted by `acknowledged` are found again after kill -9 of this
/// process, by Reader or `recover`; after a power failure perhaps not before `close`. Other processes may read while it
/// grows (h5py: File(path, "r", swmr=True)). Disk full: FileError, the rows acknowledged until then stay. One thread at
/// a time; file systems without POSIX write ordering (NFS) are not supported by HDF5 in this mode.
class Appender {
 public:
  /// Makes the file anew; an older one is replaced when the new layout stands. `attributes` go to the root.
  Appender(std::string path, std::vector<Column> columns, Index rows_per_chunk, const Settings& attributes = {});
  /// Continues a recording of the same columns behind its first `keep_rows` rows; later ones are cut off. Recovers the
  /// file first where needed. Throws FileError when it holds fewer rows or other columns.
  static Appender resume(std::string path, std::vector<Column> columns, Index keep_rows);
  ~Appender();  ///< closes; an error is lost, so call `close` first
  Appender(Appender&&) noexcept;
  Appender& operator=(Appender&&) noexcept;

  /// Sets a column of the row being filled. Throws ShapeMismatch, InvalidParameter for another kind of number.
  void put(std::size_t column, std::span<const float> row);
  void put(std::size_t column, std::span<const double> row);
  void put(std::size_t column, std::span<const std::int64_t> row);
  void put(std::size_t column, std::span<const std::uint8_t> row);
  void put(std::size_t column, std::span<const std::uint16_t> row);
  /// Completes the row; columns not put since the last one hold zeros. Flushes when a chunk is full.
  void end_row();
  /// Writes all completed rows, also into a chunk that is not full yet.
  void flush();
  Index rows() const;          ///< completed
  Index acknowledged() const;  ///< flushed
  /// Flushes, closes, fsyncs. Without it the file needs `recover` before programs other than ours open it plainly.
  void close();

 private:
  struct Impl;
  explicit Appender(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Repairs a recording whose writer was killed: the rows complete in every column are copied to a fresh file, which
/// replaces it. Does nothing to a file that was closed. Returns the number of rows. Throws FileError.
Index recover(const std::string& path);

}  // namespace lightloop::h5
