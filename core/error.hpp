#pragma once
// One family of exceptions. Every message names what was wrong, the value met, the limit, and what to do about it.
#include <stdexcept>
#include <string>

namespace lightloop {

/// Base of everything Lightloop throws on purpose.
///
/// The message reads "what: value (limit). hint"; empty parts are left out, and each part can be read back.
class Error : public std::runtime_error {
 public:
  Error(std::string what, std::string value, std::string limit = {}, std::string hint = {});
  const std::string& subject() const noexcept { return subject_; }
  const std::string& value() const noexcept { return value_; }
  const std::string& limit() const noexcept { return limit_; }
  const std::string& hint() const noexcept { return hint_; }

 private:
  std::string subject_, value_, limit_, hint_;
};

/// A parameter, option or argument whose value is of the wrong kind or makes no sense.
struct InvalidParameter : Error {
  using Error::Error;
};
/// A number outside its stated range.
struct OutOfRange : InvalidParameter {
  using InvalidParameter::InvalidParameter;
};
/// A key, name or choice that does not exist; the hint carries the nearest known one.
struct UnknownName : InvalidParameter {
  using InvalidParameter::InvalidParameter;
};
/// Shapes that do not fit each other.
struct ShapeMismatch : InvalidParameter {
  using InvalidParameter::InvalidParameter;
};
/// A capability this device, rule or build does not have.
struct Unsupported : Error {
  using Error::Error;
};
/// Work that would cost more than was allowed, stopped before it was done.
struct Refused : Error {
  using Error::Error;
};
/// An action took longer than its deadline.
struct Timeout : Error {
  using Error::Error;
};
/// The link to a device failed; names the layer and the last good event.
struct LinkError : Error {
  using Error::Error;
};
/// Frames came back damaged, incomplete or out of step with what was shown. The link itself stands: a repeat may
/// succeed.
struct FrameError : LinkError {
  using LinkError::LinkError;
};
/// Whoever waited has stopped waiting; what was waited for may still end. Names the layer and the last good event.
struct WaitTimeout : Error {
  using Error::Error;
};
/// Somebody else holds it, or too much is waiting for it already. Names the holder.
struct Busy : Error {
  using Error::Error;
};
/// Work that was called off before it was done.
struct Cancelled : Error {
  using Error::Error;
};
/// A file that is missing, unreadable, malformed or cannot be written.
struct FileError : Error {
  using Error::Error;
};
/// Our own mistake, never the caller's. Please report it.
struct InternalError : Error {
  using Error::Error;
};

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace lightloop

/// Checks our own reasoning (not the caller's input). Throws InternalError; never aborts.
#define LIGHTLOOP_ASSERT(condition) \
  ((condition) ? void(0) : ::lightloop::assertion_failed(#condition, __FILE__, __LINE__))
