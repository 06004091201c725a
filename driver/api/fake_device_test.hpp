#pragma once
// For tests only: a small device with every capability, which can be told to break any one clause of the contract.
//
// y_o = gain * sum_i w_oi x_i / 16 + 3 aux + offset + memory + noise, clipped to 10 bits; memory is a leaky sum of the
// first output, w are the programmed codes plus an error redrawn with every write.
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "driver/api/device.hpp"

namespace lightloop::test {

enum class Fault {
  none,
  bad_kind,
  description_drifts,
  frames_cost_nothing,
  miscounts,
  nameless_monitor,
  self_test_fails,
  setting_without_help,
  configure_disturbs,
  clamps_settings,
  ignores_unknown_keys,
  ignores_wrong_kinds,
  applies_half,
  changes_while_open,
  codes_out_of_range,
  dead,
  no_shape_check,
  no_code_check,
  counts_empty_batches,
  no_batch_limit,
  noise_of_the_instance,
  lies_about_noise,
  noise_of_the_call,
  noise_of_the_threads,
  ignores_deadline,
  hides_its_state,
  snapshot_forgets,
  snapshot_without_programme,
  takes_any_snapshot,
  reset_does_nothing,
  ignores_programme,
  no_programme_check,
  pretends_to_program,
  transposed_out_of_range,
  aux_not_at_rest,
  runs_when_closed,
  out_of_order,
  forgets_a_setting,
  ignores_what_it_is_given,
  ignores_its_seed,
  needs_one_thread,
  numbers_from_zero,
  ensemble_of_others,
  last = ensemble_of_others
};

struct FakeOptions {
  bool stateful = true, noisy = true, programmable = true, transposed = true, aux = true, repeatable = true,
       counted = true, ensemble = false;
  Fault fault = Fault::none;
  Index max_batch = 100;
};

class FakeDevice : public Device, public Ensemble {
 public:
  explicit FakeDevice(const FakeOptions& options, const Settings& settings = {});
  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }
  void configure(const Settings& changes) override;
  RunReport run(ConstFrames in, Frames out, const RunOptions& options = {}) override;
  void program(ConstFrames codes) override;
  void reset() override;
  std::vector<std::byte> snapshot() const override;
  void restore(const std::vector<std::byte>& state) override;
  SelfTest self_test() override;
  std::vector<Monitor> monitors() const override;
  Ensemble* ensemble() override { return options_.ensemble ? this : nullptr; }
  void configure_members(const std::vector<Settings>& members) override;
  RunReport run_members(ConstFrames in, Frames out, const RunOptions& options) override;
  void close() override { open_ = false; }

  int fail_after = -1;  ///< run() throws LinkError after this many more calls; negative: never

 private:
  bool has(Fault fault) const { return options_.fault == fault; }
  void check(const ConstFrames& in, const Frames& out, const RunOptions& options) const;
  std::uint64_t seed() const;
  double weight(Index o, Index i) const;
  double noise(std::uint64_t frame, Index call_frame) const;

  FakeOptions options_;
  DeviceInfo info_;
  ParamSet params_;
  std::vector<std::uint8_t> codes_;
  std::uint64_t writes_ = 0;
  double memory_ = 0;
  std::vector<std::unique_ptr<FakeDevice>> members_;
  std::uint64_t exposures_ = 0;
  std::thread::id thread_ = std::this_thread::get_id();
  bool open_ = true;
};

}  // namespace lightloop::test
