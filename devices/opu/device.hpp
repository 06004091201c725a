#pragma once
// The OPU as a Device: state, buffers and time around the constants in Physics.
#include <chrono>

#include "devices/opu/physics.hpp"

namespace lightloop::opu {

class Opu : public Device {
 public:
  explicit Opu(const ParamSet& params);

  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }
  void configure(const Settings& changes) override;
  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override;
  void reset() override;
  std::vector<std::byte> snapshot() const override;
  void restore(const std::vector<std::byte>& state) override;
  SelfTest self_test() override;
  std::vector<Monitor> monitors() const override;
  void close() override;

 private:
  /// Frames that see one medium, few enough for the buffers: fields, light, codes. Returns clipped codes.
  Index expose(const ConstFrames& in, const Frames& out, std::uint64_t first_id, std::int64_t time_ns);
  void form_fields(const ConstFrames& in);
  Index detect(const ConstFrames& in, const Frames& out, Index frame, std::uint64_t id, double time_s);
  void follow_wall_clock();

  ParamSet params_;
  Physics physics_;
  DeviceInfo info_;
  bool open_ = true;
  std::chrono::steady_clock::time_point opened_ = std::chrono::steady_clock::now();

  // state
  std::int64_t clock_ns_ = 0;
  Medium medium_;

  // buffers
  Matrix<float> bits_, fields_, fresh_;
  std::vector<Index> clipped_;
};

}  // namespace lightloop::opu
