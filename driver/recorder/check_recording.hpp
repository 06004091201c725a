#pragma once
// Writes down, claim by claim, what the conformance suite asks of a device and what the device answers.
#include <memory>
#include <string>

#include "driver/api/candidate.hpp"

namespace lightloop {

/// A candidate like the one it is given, which records every call of every device it opens: `lightloop check
/// replay:FILE` then asks the recording what the device was asked. docs/file_formats.md describes the file; of a
/// program that was killed the claims it had done are in it.
class CheckRecording : public Candidate {
 public:
  /// Opens the device once for its description. Makes the file; an older one is replaced. `device` is kept for the
  /// reader. Throws Unsupported for a "replay:" device, also one that a device file names, DeviceError when opening
  /// gives none, FileError, and as parse_address() and opening.
  CheckRecording(std::string path, std::string device, std::unique_ptr<Candidate> of);
  ~CheckRecording() override;

  void begin(const std::string& claim) override;
  std::unique_ptr<Device> open(const Settings& settings) override;
  FrameBuffer frames(const DeviceInfo& info, Index count, std::uint64_t set, Pass pass) const override;
  FrameBuffer programme(const FrameFormat& format, std::uint64_t set) const override;
  void end() override;
  /// Ends the recording. Throws FileError where not all could be written.
  void close();

  struct Writer;

 private:
  std::unique_ptr<Candidate> of_;
  std::shared_ptr<Writer> writer_;
};

}  // namespace lightloop
