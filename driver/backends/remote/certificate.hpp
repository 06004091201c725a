#pragma once
// What can be said about certificates and tokens before a connection is tried.
#include <string>

namespace lightloop::remote {

/// Throws InvalidParameter, naming `path` and the date, for a PEM certificate that is not valid now, FileError for text
/// that holds none.
void check_certificate(const std::string& pem, const std::string& path);

/// The token in a file. Throws FileError for an empty, short or unprintable one.
std::string read_token(const std::string& path);

/// Are they equal? Takes the same time wherever they differ.
bool same_token(const std::string& a, const std::string& b);

}  // namespace lightloop::remote
