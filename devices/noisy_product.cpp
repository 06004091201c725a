#include "devices/noisy_product.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/leakage.hpp"
#include "core/threads.hpp"
#include "driver/api/answer.hpp"

namespace lightloop {

RunReport run_product(const NoisyProduct& product, const DeviceInfo& info, const ConstFrames& in, const Frames& out,
                      std::uint64_t first_frame_id, ProductWork& work) {
  if (in.count == 0) return {};
  work.drive.resize(in.count, in.size);
  work.sums.resize(in.count, out.size);
  const FrontEnd& front = product.front;
  const double early = std::hypot(front.early_noise(), product.noise_sd);
  const auto id = [&](Index r) { return first_frame_id + static_cast<std::uint64_t>(r); };
  parallel_for(in.count, [&](Index r) { front.read(in, r, id(r), product.converters, work.drive.row(r)); });
  product.map.multiply(product.gain, work.drive, product.turned ? Transpose::no : Transpose::yes, 0.0f, work.sums);
  const auto flicker = [&](Index r) {
    if (product.intensity_sd == 0) return;
    const auto light = static_cast<float>(1 + product.intensity_sd * product.intensity.normal(id(r), 0));
    for (float& value : work.sums.row(r)) value *= light;
  };
  if (product.filter) {  // what is remembered has no noise of the detection
    work.quiet.resize(in.count, out.size);
    std::ranges::copy(work.sums.flat(), work.quiet.flat().begin());
    parallel_for(in.count, flicker);
    product.filter->apply(work.quiet, work.sums);
  }
  std::vector<Index> clipped(static_cast<std::size_t>(in.count));
  parallel_for(in.count, [&](Index r) {
    const std::span<float> y = work.sums.row(r);
    if (!product.filter) flicker(r);
    if (early > 0) add_noise(NoiseLaw::gaussian, early, product.noise, id(r), y);
    clipped[static_cast<std::size_t>(r)] = front.write(y, id(r), product.converters, out, r);
  });
  return counted(info, out, std::accumulate(clipped.begin(), clipped.end(), std::int64_t{0}), product.pass);
}

}  // namespace lightloop
