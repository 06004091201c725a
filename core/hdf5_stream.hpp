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
  std::size_t table = 0;     ///< columns of one table have a row each when the table grows
};

/// Appends rows to a file of fixed layout: each column is a dataset (rows, shape...), stored in chunks of
/// `rows_per_chunk` rows, uncompressed (rewriting part of a compressed chunk leaks space). A file may hold several
/// tables that grow independently: rows of one may then count on rows of another that were flushed before.
///
/// A full chunk is flushed as it is completed. Rows counted by `acknowledged` are found again after kill -9 of this
/// process, by Reader or `recover`; after a power failure perhaps not before `close`. Other processes may read while it
/// grows (h5py: File(path, "r", swmr=True)). Disk full: FileError, the rows acknowledged until then stay. One thread at
/// a time; file systems without POSIX write ordering (NFS) are not supported by HDF5 in this mode.
class Appender {
 public:
  /// Makes the file anew; an older one is replaced when the new layout stands. `attributes` go to the root.
  Appender(std::string path, std::vector<Column> columns, Index rows_per_chunk, const Settings& attributes = {});
  /// The same with a chunk size for each table.
  Appender(std::string path, std::vector<Column> columns, std::vector<Index> rows_per_chunk,
           const Settings& attributes = {});
  /// Continues a recording (of one table) of the same columns behind its first `keep_rows` rows; later ones are cut
  /// off. Recovers the file first where needed. Throws FileError when it holds fewer rows or other columns.
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
  /// Completes the table's row; columns not put since the last one hold zeros. Flushes the table when a chunk is full.
  void end_row(std::size_t table = 0);
  /// Writes all completed rows, also into a chunk that is not full yet.
  void flush();
  Index rows(std::size_t table = 0) const;          ///< completed
  Index acknowledged(std::size_t table = 0) const;  ///< flushed
  /// Flushes, closes, fsyncs. Without it the file needs `recover` before programs other than ours open it plainly.
  void close();

 private:
  struct Impl;
  explicit Appender(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Repairs a recording whose writer was killed: the rows complete in every column of their table are copied to a fresh
/// file, which replaces it. Does nothing to a file that was closed. Returns the rows of the first table. Throws
/// FileError.
Index recover(const std::string& path);

}  // namespace lightloop::h5
