#pragma once
// What can be said about certificates and tokens before a connection is tried.
#include <string>

namespace lightloop::remote {

/// Throws InvalidParameter, naming `path` and the date, for a PEM certificate that is not valid now, FileError for text
/// that holds none.
void check_certificate(const std::string& pem, const std::string& path);

/// Throws InvalidParameter when the key is not that of the certificate, FileError when it is none.
void check_key(const std::string& certificate, const std::string& key, const std::string& certificate_path,
               const std::string& key_path);

/// Why a certificate of the server at "host:port" is not accepted by those who hold `authority`, asked by a handshake
/// of our own (gRPC does not tell); empty when that finds nothing wrong.
std::string why_untrusted(const std::string& server, const std::string& authority);

/// The token in a file. Throws FileError for an empty, short or unprintable one.
std::string read_token(const std::string& path);

/// Are they equal? Takes the same time wherever they differ.
bool same_token(const std::string& a, const std::string& b);

}  // namespace lightloop::remote
