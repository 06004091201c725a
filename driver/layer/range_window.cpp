#include "driver/layer/range_window.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace lightloop {

bool RangeWindow::add(double size, const RangeLaw& law) {
  largest = std::max(largest, size);
  if (++rows < law.rows) return false;
  const double before = range, wanted = law.headroom * largest;
  if (wanted > 0) range = range > 0 ? law.memory * range + (1 - law.memory) * wanted : wanted;
  rows = 0;
  largest = 0;
  return range != before;
}

float percentile_size(std::span<const float> x, double percentile) {
  if (x.empty()) return 0;
  const auto n = static_cast<double>(x.size());
  const auto rank = static_cast<std::ptrdiff_t>(std::max(1.0, std::ceil(n * percentile / 100)));
  thread_local std::vector<float> sizes;
  sizes.assign(x.begin(), x.end());
  for (float& value : sizes) value = std::abs(value);
  const auto at = sizes.begin() + (rank - 1);
  std::nth_element(sizes.begin(), at, sizes.end());
  return *at;
}

}  // namespace lightloop
