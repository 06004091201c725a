#include "devices/noisy_product.hpp"

#include <numeric>
#include <vector>

#include "core/threads.hpp"
#include "devices/frame_rows.hpp"
#include "driver/api/answer.hpp"

namespace lightloop {

RunReport run_product(const NoisyProduct& product, const DeviceInfo& info, const ConstFrames& in, const Frames& out,
                      std::uint64_t first_frame_id, ProductWork& work) {
  if (in.count == 0) return {};
  work.drive.resize(in.count, in.size);
  work.sums.resize(in.count, out.size);
  work.draws.resize(in.count, out.size);
  parallel_for(in.count, [&](Index r) { read_row(in, r, info.input.bits, work.drive.row(r)); });
  gemm(Transpose::no, product.backwards ? Transpose::no : Transpose::yes, product.gain, work.drive, product.map, 0.0f,
       work.sums);
  std::vector<Index> clipped(static_cast<std::size_t>(in.count));
  parallel_for(in.count, [&](Index r) {
    const std::span<float> y = work.sums.row(r);
    if (product.noise_sd > 0) {
      const std::span<float> xi = work.draws.row(r);
      product.noise.normal(first_frame_id + static_cast<std::uint64_t>(r), 0, xi);
      for (std::size_t i = 0; i < y.size(); ++i) y[i] += static_cast<float>(product.noise_sd) * xi[i];
    }
    clipped[static_cast<std::size_t>(r)] = write_row(y, info.output.bits, product.range, out, r);
  });
  return counted(info, out, std::accumulate(clipped.begin(), clipped.end(), std::int64_t{0}));
}

}  // namespace lightloop
