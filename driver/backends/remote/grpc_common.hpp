#pragma once
// What both ends of gRPC share. gRPC's own headers take long to compile and are included in two sources only.
namespace grpc {
class ByteBuffer;
}
namespace google::protobuf {
class MessageLite;
}

namespace lightloop::remote {

inline constexpr const char* kSessionMethod = "/lightloop.v1.Devices/Session";
inline constexpr const char* kBeatMethod = "/lightloop.v1.Devices/Beat";
inline constexpr const char* kListMethod = "/lightloop.v1.Devices/List";
inline constexpr const char* kTokenKey = "authorization";
inline constexpr const char* kTokenScheme = "Bearer ";
inline constexpr int kKeepaliveMs = 10'000, kKeepaliveTimeoutMs = 5'000;

/// gRPC and protobuf write to stderr of their own accord, a library must not. GRPC_VERBOSITY brings it back.
void quieten_grpc();

// Messages go over the wire as bytes that we read ourselves, so that a message that cannot be read is told from the end
// of a session.
bool decode(const grpc::ByteBuffer& from, google::protobuf::MessageLite& to);
grpc::ByteBuffer encode(const google::protobuf::MessageLite& from);

}  // namespace lightloop::remote
