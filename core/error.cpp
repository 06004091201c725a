#include "core/error.hpp"

namespace lightloop {
namespace {
std::string compose(const std::string& what, const std::string& value, const std::string& limit,
                    const std::string& hint) {
  std::string text = what;
  if (!value.empty()) text += ": " + value;
  if (!limit.empty()) text += " (" + limit + ")";
  if (!hint.empty()) text += ". " + hint;
  return text;
}
}  // namespace

Error::Error(std::string what, std::string value, std::string limit, std::string hint)
    : std::runtime_error(compose(what, value, limit, hint)),
      subject_(std::move(what)),
      value_(std::move(value)),
      limit_(std::move(limit)),
      hint_(std::move(hint)) {}

void assertion_failed(const char* condition, const char* file, int line) {
  throw InternalError("internal check failed", condition, std::string(file) + ":" + std::to_string(line),
                      "This is a bug in Lightloop; please report it with the command that led here.");
}

}  // namespace lightloop
