#include "training/sweep/bench.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"

namespace lightloop::sweeps {
namespace {
double number(const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  if (const auto* real = std::get_if<double>(&value)) return *real;
  return 0;  // words have no order but that of the file
}

void choice(const char* name, const std::string& value, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), value) != known.end()) return;
  std::string list;
  for (const auto& word : known)
    if (!word.empty()) list += (list.empty() ? "" : word == known.back() ? " or " : ", ") + word;
  throw UnknownName(name, "\"" + value + "\"", list);
}
}  // namespace

bool Bench::asked() const {
  return order != "grid" || settle_s != 0 || !hysteresis.empty() || reference_every != 0 || !reference.empty() ||
         !abort.empty();
}

void Bench::check() const {
  choice("order", order, {"grid", "random"});
  choice("hysteresis", hysteresis, {"", "up", "down", "both"});
  if (!(settle_s >= 0) || !std::isfinite(settle_s) || reference_every < 0)
    throw InvalidParameter("settle, reference_every",
                           to_string(Value(settle_s)) + ", " + std::to_string(reference_every), "not negative");
}

std::vector<std::string> Bench::directions() const {
  if (hysteresis == "both") return {"up", "down"};
  return hysteresis.empty() ? std::vector<std::string>{} : std::vector<std::string>{hysteresis};
}

std::vector<Point> with_directions(const std::vector<Point>& points, const Bench& bench,
                                   const std::vector<std::string>& identity) {
  const auto directions = bench.directions();
  std::vector<Point> all;
  for (const Point& point : points)
    for (std::size_t i = 0; i < directions.size(); ++i)
      all.push_back(extended(point, "direction", directions[i], static_cast<Index>(i), identity));
  return all;
}

std::vector<std::vector<Index>> lines(const std::vector<Point>& points, const std::vector<Axis>& axes,
                                      const Bench& bench, std::uint64_t seed) {
  std::vector<std::vector<Index>> groups;
  const auto directions = bench.directions();
  if (directions.empty()) {
    for (std::size_t i = 0; i < points.size(); ++i) groups.push_back({static_cast<Index>(i)});
  } else {
    const std::size_t last = axes.size() - 1;
    std::map<std::vector<Index>, std::size_t> known;  // place without the last axis and the direction
    for (std::size_t i = 0; i < points.size(); ++i) {
      std::vector<Index> line = points[i].place;
      line.pop_back();
      line.erase(line.begin() + static_cast<std::ptrdiff_t>(last));
      const auto [found, fresh] = known.emplace(std::move(line), groups.size());
      if (fresh) groups.emplace_back();
      groups[found->second].push_back(static_cast<Index>(i));
    }
    const auto rank = [&](Index i) {
      const Point& point = points[static_cast<std::size_t>(i)];
      const double value = number(axes[last].values[static_cast<std::size_t>(point.place[last])]);
      const bool down = directions[static_cast<std::size_t>(point.place.back())] == "down";
      return std::pair(down, down ? -value : value);
    };
    for (auto& group : groups)
      std::stable_sort(group.begin(), group.end(), [&](Index a, Index b) { return rank(a) < rank(b); });
  }
  if (bench.order == "grid") return groups;
  std::vector<std::uint32_t> shuffled(groups.size());
  Stream(seed, 1, Purpose::batch_order).permutation(0, shuffled);
  std::vector<std::vector<Index>> order;
  for (const std::uint32_t i : shuffled) order.push_back(std::move(groups[i]));
  return order;
}

}  // namespace lightloop::sweeps
