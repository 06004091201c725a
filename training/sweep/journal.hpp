#pragma once
// What is kept of an unfinished sweep: FILE.parts, to which every finished point is appended. A point that was not
// written whole, because the process was killed, does not count.
#include <map>
#include <string>

#include "training/sweep/record.hpp"

namespace lightloop::sweeps {

class Journal {
 public:
  /// Reads what is there and opens the file for more; an incomplete end is cut off. Throws FileError, also for a file
  /// that is something else, or damaged before its end.
  explicit Journal(std::string path);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// By key.
  const std::map<std::string, Record>& records() const { return records_; }
  /// Appends a record; it is on the disk at the latest a second later, or when the journal is closed.
  void add(const std::string& key, const Record& record);
  /// The sweep is complete: the file goes.
  void remove();

 private:
  void load();
  [[noreturn]] void refuse_damage(std::size_t good) const;
  void write(const void* data, std::size_t size);
  std::string path_;
  int descriptor_ = -1;
  double synced_s_ = 0;
  bool old_ = false;  ///< the file is of the first format
  std::map<std::string, Record> records_;
};

}  // namespace lightloop::sweeps
