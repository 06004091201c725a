#include "core/hdf5_stream.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/hdf5_handle.hpp"

namespace lightloop::h5 {
namespace {
struct KindInfo {
  hid_t type;
  std::size_t size;
};
KindInfo info_of(Column::Kind kind) {
  switch (kind) {
    case Column::Kind::float32:
      return {H5T_NATIVE_FLOAT, 4};
    case Column::Kind::float64:
      return {H5T_NATIVE_DOUBLE, 8};
    case Column::Kind::int64:
      return {H5T_NATIVE_INT64, 8};
    case Column::Kind::uint8:
      return {H5T_NATIVE_UINT8, 1};
    case Column::Kind::uint16:
      return {H5T_NATIVE_UINT16, 2};
  }
  throw InternalError("unknown kind of column", std::to_string(static_cast<int>(kind)));
}

/// (rows, shape...) as HDF5 wants it.
std::vector<hsize_t> with_rows(Index rows, const std::vector<Index>& shape) {
  std::vector<hsize_t> dims = {static_cast<hsize_t>(rows)};
  dims.insert(dims.end(), shape.begin(), shape.end());
  return dims;
}

struct Table {
  Index rows_per_chunk = 1, rows = 0, acknowledged = 0;
};

/// A column while it is written: rows not yet in the file wait in `pending`.
struct OpenColumn {
  Column column;
  std::size_t values = 1, row_bytes = 0;
  std::vector<std::byte> pending = {};
  Handle dataset = {};
};
}  // namespace

struct Appender::Impl {
  std::string path;
  std::size_t reserved = 0;
  bool failed = false;
  std::vector<Table> tables;
  std::vector<OpenColumn> columns;
  Handle file;

  Impl(std::string name, std::vector<Column> list, const std::vector<Index>& rows_per_chunk) : path(std::move(name)) {
    for (const Index rows : rows_per_chunk) {
      if (rows < 1) throw OutOfRange("rows per chunk of " + path, std::to_string(rows), "at least 1");
      tables.push_back({rows});
    }
    for (auto& column : list) {
      if (column.table >= tables.size())
        throw OutOfRange("table of " + column.path, std::to_string(column.table),
                         "below " + std::to_string(tables.size()));
      OpenColumn open{std::move(column)};
      for (const Index n : open.column.shape) open.values *= static_cast<std::size_t>(n);
      open.row_bytes = open.values * info_of(open.column.kind).size;
      if (open.values == 0) throw InvalidParameter(path + " " + open.column.path, "a row without values");
      columns.push_back(std::move(open));
    }
    if (columns.empty()) throw InvalidParameter(path, "no columns");
  }
  ~Impl() {
    const Quiet quiet;
    close_quietly();
  }
  std::string naming(const std::string& object) const { return "cannot write " + object + " in " + path; }

  void create(const Settings& attributes) {
    check_writable(path);
    remove_stale_temporaries(path);
    const auto temporary = temporary_name(path);
    file =
        checked(H5Fcreate(temporary.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, appending_access()), "cannot write " + path);
    try {
      reserve_all();
      for (const auto& [name, value] : attributes)
        write_attribute(Handle(H5Gopen2(file, "/", H5P_DEFAULT)), name, value, naming("/:" + name));
      for (const auto& open : columns) make_column(open.column);
      start();
      if (::rename(temporary.c_str(), path.c_str()) != 0) throw FileError("cannot write " + path, std::strerror(errno));
    } catch (...) {
      close_quietly();
      ::unlink(temporary.c_str());
      throw;
    }
  }
  void make_column(const Column& column) const {
    auto dims = with_rows(0, column.shape), most = dims,
         chunk = with_rows(tables[column.table].rows_per_chunk, column.shape);
    most[0] = H5S_UNLIMITED;
    const auto space =
        checked(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), most.data()), naming(column.path));
    const Handle creation(H5Pcreate(H5P_DATASET_CREATE)), links(H5Pcreate(H5P_LINK_CREATE));
    check(H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data()), naming(column.path));
    H5Pset_create_intermediate_group(links, 1);
    const auto made =
        checked(H5Dcreate2(file, column.path.c_str(), info_of(column.kind).type, space, links, creation, H5P_DEFAULT),
                naming(column.path));
    if (!column.unit.empty()) write_attribute(made, "units", column.unit, naming(column.path));
    if (column.table > 0)
      write_attribute(made, kTableAttribute, static_cast<std::int64_t>(column.table), naming(column.path));
  }
  void start() {
    check(H5Fflush(file, H5F_SCOPE_GLOBAL), "cannot write " + path);
    check(H5Fstart_swmr_write(file), "cannot append to " + path, "Is the file system a local one?");
    for (auto& open : columns)
      open.dataset = checked(H5Dopen2(file, open.column.path.c_str(), H5P_DEFAULT), naming(open.column.path));
  }
  void open_again(Index keep) {
    file = checked(H5Fopen(path.c_str(), H5F_ACC_RDWR, appending_access()), "cannot append to " + path);
    for (auto& open : columns) {
      const auto what = "cannot append to " + open.column.path + " in " + path;
      const auto dataset = checked(H5Dopen2(file, open.column.path.c_str(), H5P_DEFAULT), what);
      const Handle type(H5Dget_type(dataset)), creation(H5Dget_create_plist(dataset));
      auto shape = shape_of(dataset, what);
      const Index there = shape.empty() ? 0 : shape[0];
      if (!shape.empty()) shape.erase(shape.begin());
      if (shape != open.column.shape || H5Tequal(type, info_of(open.column.kind).type) <= 0)
        throw FileError(what, "the file holds other rows", "", "Record into another file.");
      if (there < keep)
        throw FileError(what, "the file holds " + std::to_string(there) + " rows", std::to_string(keep) + " wanted",
                        "Record into another file.");
      std::vector<hsize_t> chunk(shape.size() + 1);
      check(H5Pget_chunk(creation, static_cast<int>(chunk.size()), chunk.data()), what);
      tables[0].rows_per_chunk = static_cast<Index>(chunk[0]);
    }
    for (const auto& open : columns)  // nothing is cut off before everything is found to fit
      check(H5Dset_extent(Handle(H5Dopen2(file, open.column.path.c_str(), H5P_DEFAULT)),
                          with_rows(keep, open.column.shape).data()),
            naming(open.column.path));
    tables[0].rows = tables[0].acknowledged = keep;
    reserve_all();
    start();
  }

  /// Takes the space of what waits from the disk, so that HDF5 never meets a full one.
  void reserve_all() {
    std::size_t bytes = 0;
    for (const auto& open : columns)
      bytes += open.row_bytes * static_cast<std::size_t>(tables[open.column.table].rows_per_chunk) + kColumnSlack;
    reserve(file, bytes, reserved, path);
  }
  void flush(std::size_t which) {
    Table& table = tables[which];
    if (failed) throw FileError("cannot write " + path, "an earlier write failed", "", "Record into another file.");
    if (table.rows == table.acknowledged) return;
    failed = true;  // until all has gone well
    reserve_all();
    for (auto& open : columns)
      if (open.column.table == which) write_rows(open, table);
    table.acknowledged = table.rows;
    failed = false;
  }
  void write_rows(OpenColumn& open, const Table& table) const {
    const auto what = naming(open.column.path);
    check(H5Dset_extent(open.dataset, with_rows(table.rows, open.column.shape).data()), what);
    const Handle space(H5Dget_space(open.dataset));
    const auto size = with_rows(table.rows - table.acknowledged, open.column.shape);
    std::vector<hsize_t> start(size.size(), 0);
    start[0] = static_cast<hsize_t>(table.acknowledged);
    check(H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr), what);
    const Handle memory(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr));
    check(H5Dwrite(open.dataset, info_of(open.column.kind).type, memory, space, H5P_DEFAULT, open.pending.data()),
          what);
    check(H5Dflush(open.dataset), what);
    open.pending.clear();
  }
  bool close_quietly() {
    if (!file.valid()) return true;
    for (auto& open : columns) open.dataset.reset();
    return close_file(file);
  }
  void put(std::size_t column, Column::Kind kind, const void* values, std::size_t count) {
    if (column >= columns.size())
      throw OutOfRange("column of " + path, std::to_string(column), "0 to " + std::to_string(columns.size() - 1));
    auto& open = columns[column];
    if (kind != open.column.kind) throw InvalidParameter(naming(open.column.path), "numbers of another kind");
    if (count != open.values)
      throw ShapeMismatch(naming(open.column.path), std::to_string(count) + " values",
                          "a row holds " + std::to_string(open.values));
    const auto at = waiting(open.column.table) * open.row_bytes;
    open.pending.resize(at + open.row_bytes);
    std::memcpy(open.pending.data() + at, values, open.row_bytes);
  }
  std::size_t waiting(std::size_t table) const {
    return static_cast<std::size_t>(tables[table].rows - tables[table].acknowledged);
  }
  void end_row(std::size_t which) {
    Table& table = tables.at(which);
    ++table.rows;
    for (auto& open : columns)
      if (open.column.table == which) open.pending.resize(waiting(which) * open.row_bytes);
    if (table.rows % table.rows_per_chunk == 0) flush(which);
  }
};

Appender::Appender(std::string path, std::vector<Column> columns, Index rows_per_chunk, const Settings& attributes)
    : Appender(std::move(path), std::move(columns), std::vector<Index>{rows_per_chunk}, attributes) {}
Appender::Appender(std::string path, std::vector<Column> columns, std::vector<Index> rows_per_chunk,
                   const Settings& attributes) {
  const Quiet quiet;
  impl_ = std::make_unique<Impl>(std::move(path), std::move(columns), rows_per_chunk);
  impl_->create(attributes);
}
Appender::Appender(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Appender Appender::resume(std::string path, std::vector<Column> columns, Index keep_rows) {
  const Quiet quiet;
  recover(path);
  auto impl = std::make_unique<Impl>(std::move(path), std::move(columns), std::vector<Index>{1});
  impl->open_again(keep_rows);
  return Appender(std::move(impl));
}

Appender::~Appender() {
  if (!impl_ || !impl_->file.valid()) return;
  try {
    close();
  } catch (const Error&) {  // promised: use close() to hear of it
  }
}
Appender::Appender(Appender&&) noexcept = default;
Appender& Appender::operator=(Appender&&) noexcept = default;

void Appender::put(std::size_t c, std::span<const float> v) {
  impl_->put(c, Column::Kind::float32, v.data(), v.size());
}
void Appender::put(std::size_t c, std::span<const double> v) {
  impl_->put(c, Column::Kind::float64, v.data(), v.size());
}
void Appender::put(std::size_t c, std::span<const std::int64_t> v) {
  impl_->put(c, Column::Kind::int64, v.data(), v.size());
}
void Appender::put(std::size_t c, std::span<const std::uint8_t> v) {
  impl_->put(c, Column::Kind::uint8, v.data(), v.size());
}
void Appender::put(std::size_t c, std::span<const std::uint16_t> v) {
  impl_->put(c, Column::Kind::uint16, v.data(), v.size());
}

void Appender::end_row(std::size_t table) {
  const Quiet quiet;
  impl_->end_row(table);
}
void Appender::flush() {
  const Quiet quiet;
  for (std::size_t table = 0; table < impl_->tables.size(); ++table) impl_->flush(table);
}
Index Appender::rows(std::size_t table) const { return impl_->tables.at(table).rows; }
Index Appender::acknowledged(std::size_t table) const { return impl_->tables.at(table).acknowledged; }

void Appender::close() {
  const Quiet quiet;
  if (!impl_->file.valid()) return;
  if (!impl_->failed) flush();
  if (!impl_->close_quietly()) throw FileError("cannot write " + impl_->path, last_message());
}

}  // namespace lightloop::h5
