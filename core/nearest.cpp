#include <algorithm>

#include "core/param.hpp"

namespace lightloop {
namespace {
/// Damerau-Levenshtein distance in its restricted form: insert, delete, replace, swap two neighbours.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

std::string_view last_part(std::string_view name) { return name.substr(name.rfind('.') + 1); }
}  // namespace

std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& known) {
  const auto wanted = lower(name);
  const auto limit = std::max<std::size_t>(1, wanted.size() / 3);  // assumed: a third of the letters may be wrong
  const std::string* best = nullptr;
  auto best_distance = limit + 1;
  const auto offer = [&](const std::string& candidate, std::size_t d) {
    if (d < best_distance) {
      best = &candidate;
      best_distance = d;
    }
  };
  for (const auto& candidate : known) offer(candidate, distance(wanted, lower(candidate)));
  if (!best) {  // "bits" for "camera.bits", or a name under the wrong heading
    const auto tail = last_part(wanted);
    best_distance = std::min(limit, std::max<std::size_t>(1, tail.size() / 3)) + 1;
    for (const auto& candidate : known)
      offer(candidate, distance(tail, last_part(lower(candidate))) + (tail.size() == wanted.size() ? 0 : 1));
  }
  return best ? std::optional(*best) : std::nullopt;
}

}  // namespace lightloop
