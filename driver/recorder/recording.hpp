#pragma once
// Writes down all that a session asks of its device and what the device answers, so that it can be replayed.
#include <memory>
#include <string>

#include "driver/api/session.hpp"

namespace lightloop {

/// A file (kind = recording) that grows with every call of the session; docs/file_formats.md describes it.
///
/// When a call has returned, what it did survives kill -9 of the process; after a power failure perhaps not before
/// `close`. A full disk makes the call throw FileError; everything recorded until then stays readable.
class Recording : public SessionObserver {
 public:
  /// Makes the file; an older one is replaced. Throws FileError.
  Recording(std::string path, const Session& session);
  ~Recording() override;

  void on_run(const ConstFrames& in, const ConstFrames& out, const RunOptions& options,
              const RunReport& report) override;
  void on_program(const ConstFrames& codes) override;
  /// Throws Unsupported when the frames themselves have changed.
  void on_configure() override;
  void on_reset() override;
  void on_restore() override;
  std::int64_t frames() const;
  /// Ends the recording; later calls are not recorded. Throws FileError where not all could be written.
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Records `session` from now on; the recording ends with its close() or with the session.
std::shared_ptr<Recording> record(Session& session, std::string path);

}  // namespace lightloop
