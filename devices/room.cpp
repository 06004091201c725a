#include "devices/room.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/units.hpp"

namespace lightloop {
namespace {

constexpr double kMost = 0x1p36;  // assumed: what anybody would call a large computer

std::string gib(double bytes) { return format_quantity(bytes / 0x1p30, "1") + " GiB"; }

double room() {
  double least = kMost;
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
  if (pages > 0 && page > 0) least = std::min(least, static_cast<double>(pages) * static_cast<double>(page));
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    least = std::min(least, static_cast<double>(limit.rlim_cur));
  return least;
}

}  // namespace

void check_room(const std::string& what, double bytes, const std::string& hint) {
  if (const double most = room(); !(bytes <= most)) throw OutOfRange(what, gib(bytes), gib(most) + " of memory", hint);
}

}  // namespace lightloop
