#include "training/sweep/point.hpp"

#include <algorithm>

#include "core/hash.hpp"
#include "driver/api/opening.hpp"
#include "training/sweep/generator.hpp"
#include "training/sweep/text.hpp"

namespace lightloop::sweeps {
namespace {
std::string key_of(const Point& point, std::vector<std::string> identity) {
  identity.push_back(json(Settings(point.at.begin(), point.at.end())));
  const auto instance = point.settings.find("instance");
  identity.push_back(instance == point.settings.end() ? "{}" : json(Settings{*instance}));
  return digest(std::move(identity));
}

std::vector<std::string> reference_of(std::vector<std::string> identity) {
  identity.push_back(json(Value("reference")));
  return identity;
}
}  // namespace

std::string Point::where() const {
  std::string text;
  for (const auto& [name, value] : at) text += (text.empty() ? "" : ", ") + name + "=" + shown(value);
  return text;
}

std::string digest(std::vector<std::string> parts) { return sha256(json_array(parts)); }

bool seeded_here(const Registry& registry, const std::string& device, const std::vector<Axis>& axes) {
  return takes_seed(registry, device) &&
         std::none_of(axes.begin(), axes.end(), [](const Axis& axis) { return axis.setting_name == "seed"; });
}

std::vector<Point> make_points(const Registry& registry, const std::string& device, const std::vector<Axis>& axes,
                               Index repeats, std::uint64_t seed, const std::vector<std::string>& identity,
                               bool members) {
  std::vector<std::size_t> order;  // what needs a re-open moves slowest
  for (const bool reopen : {true, false})
    for (std::size_t i = 0; i < axes.size(); ++i)
      if (axes[i].needs_reopen == reopen) order.push_back(i);
  const bool seeded = seeded_here(registry, device, axes);
  std::vector<Point> points;
  for (Index repeat = 0; repeat < repeats; ++repeat) {
    std::vector<Index> place(axes.size() + 1, 0);
    place.back() = repeat;
    for (std::int64_t instance = 0;; ++instance) {
      Point point{place, {}, {}, {}, repeat};
      for (std::size_t i = 0; i < axes.size(); ++i) {
        point.at.emplace_back(axes[i].name, axes[i].setting(place[i]));
        if (axes[i].of_device()) point.settings[axes[i].setting_name] = point.at.back().second;
      }
      point.at.emplace_back("repeat", std::int64_t{repeat});
      if (seeded) point.settings["seed"] = device_seed(seed, repeat);
      if (members) point.settings["instance"] = instance;
      point.key = key_of(point, identity);
      points.push_back(std::move(point));
      auto moving = order.rbegin();
      while (moving != order.rend() && ++place[*moving] == static_cast<Index>(axes[*moving].values.size()))
        place[*moving++] = 0;
      if (moving == order.rend()) break;
    }
  }
  return points;
}

Point extended(const Point& point, const std::string& name, const Value& value, Index place,
               const std::vector<std::string>& identity) {
  Point more = point;
  more.place.push_back(place);
  more.at.emplace_back(name, value);
  more.key = key_of(more, identity);
  return more;
}

Point reference_point(std::int64_t visit, const std::vector<std::string>& identity) {
  Point point;
  point.at = {{"repeat", std::int64_t{0}}};
  point.key = key_of(point, reference_of(identity));
  point.at.emplace_back("reference", visit);
  return point;
}

std::string visit_key(std::int64_t visit, const std::vector<std::string>& identity) {
  return key_of(reference_point(visit, identity), reference_of(identity));
}

}  // namespace lightloop::sweeps
