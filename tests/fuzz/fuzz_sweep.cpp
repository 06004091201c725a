// What is kept of an unfinished sweep, and the records of points that come back from elsewhere. The first byte chooses:
// the bytes of a record; a FILE.parts; one whose frame is sound and holds a record of any bytes. Only a
// lightloop::Error may come out; what was read must be the same when written and read again.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/hash.hpp"
#include "tests/fuzz/script.hpp"
#include "training/sweep/journal.hpp"

namespace lightloop::sweeps {
namespace {
void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

void try_record(std::span<const std::byte> bytes) {
  const auto once = to_bytes(record_from(bytes));
  const Record again = record_from(once);
  require(to_bytes(again) == once, "a record reads back as written");
  for (const Variable& v : again.values) {
    require(v.bytes.size() == static_cast<std::size_t>(v.size()) * size_of(v.type),
            "as many numbers as the shape says");
    converted(v, Number::f64);
  }
}

void try_journal(const std::string& content) {
  static const std::string path = fuzz::scratch_file(".parts");
  write_file(path, content);
  std::size_t points = 0;
  {
    Journal journal(path);
    journal.add(std::string(64, '_'), Record{});
    points = journal.records().size() + !journal.records().contains(std::string(64, '_'));
  }
  require(Journal(path).records().size() == points, "a point that was added is there with the others");
}

std::string framed(const std::string& record) {
  const std::string frame = std::string(64, 'a') + record;
  const std::uint64_t size = frame.size();
  const std::string head = std::string(reinterpret_cast<const char*>(&size), sizeof size) + sha256(frame);
  return "lightloop sweep parts 2\n" + head + sha256(head) + frame;
}
}  // namespace
}  // namespace lightloop::sweeps

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lightloop::sweeps;
  if (size == 0) return 0;
  const std::string rest(data + 1, data + size);
  try {
    if (data[0] % 3 == 0) try_record(std::as_bytes(std::span(rest)));
    if (data[0] % 3 == 1) try_journal(rest);
    if (data[0] % 3 == 2) try_journal(framed(rest));
  } catch (const lightloop::Error&) {
    // refused, as it should be
  }
  return 0;
}
