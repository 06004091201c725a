// The client's end of gRPC.
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/sync_stream.h>

#include <atomic>
#include <cstdlib>
#include <mutex>

#include "core/error.hpp"
#include "driver/backends/remote/certificate.hpp"
#include "driver/backends/remote/connect.hpp"
#include "driver/backends/remote/grpc_common.hpp"
#include "driver/backends/remote/messages.hpp"
#include "driver/backends/remote/payload.hpp"
#include "driver/backends/remote/remote.pb.h"

namespace lightloop::remote {

void quieten_grpc() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (std::getenv("GRPC_VERBOSITY")) return;
    gpr_set_log_function([](gpr_log_func_args*) {});
    google::protobuf::SetLogHandler(nullptr);  // else a message with broken UTF-8 is one line there
  });
}

bool decode(const grpc::ByteBuffer& from, google::protobuf::MessageLite& to) {
  grpc::ByteBuffer buffer(from);
  grpc::ProtoBufferReader reader(&buffer);
  return reader.status().ok() && to.ParseFromZeroCopyStream(&reader);
}

grpc::ByteBuffer encode(const google::protobuf::MessageLite& from) {
  grpc::Slice slice(from.ByteSizeLong());
  from.SerializeWithCachedSizesToArray(const_cast<std::uint8_t*>(slice.begin()));
  return {&slice, 1};
}

namespace {

using Clock = std::chrono::steady_clock;

std::chrono::system_clock::time_point system_time(Clock::time_point time) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(time - Clock::now());
}

/// gRPC's long stories, without their beginning: "... Failed to connect to remote host: Connection refused".
std::string phrase(const grpc::Status& status) {
  std::string text = status.error_message();
  if (text.find("Ssl handshake") != text.npos || text.find("SSL_ERROR") != text.npos)
    return "the TLS handshake failed (" + text.substr(text.rfind(':') + 1) + ")";
  if (const auto last = text.rfind(": "); last != text.npos && text.starts_with("failed to connect"))
    text = text.substr(last + 2);
  if (text.empty()) text = status.ok() ? "the server closed it" : "status " + std::to_string(status.error_code());
  return clean(text, 200);
}

class Session : public ClientWire {
 public:
  Session(std::shared_ptr<grpc::Channel> channel, const std::string& token)
      : channel_(std::move(channel)), token_(token), beat_method_(kBeatMethod, grpc::internal::RpcMethod::NORMAL_RPC) {
    authorise(context_);
    const grpc::internal::RpcMethod method(kSessionMethod, grpc::internal::RpcMethod::BIDI_STREAMING, channel_);
    stream_.reset(grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(
        channel_.get(), method, &context_));
  }

  bool read(v1::FromServer& to) override {
    grpc::ByteBuffer buffer;
    if (!stream_->Read(&buffer)) return false;
    if (decode(buffer, to)) return true;
    malformed_ = true;
    context_.TryCancel();
    while (stream_->Read(&buffer)) {
    }
    return false;
  }
  bool write(const v1::FromClient& message) override { return stream_->Write(encode(message)); }
  void done() override { stream_->WritesDone(); }

  void cancel() override {
    context_.TryCancel();
    const std::scoped_lock lock(mutex_);
    cancelled_ = true;
    if (beat_context_) beat_context_->TryCancel();
  }

  std::string reason() override {
    const grpc::Status status = stream_->Finish();
    return malformed_ ? "the server sent a message that cannot be read" : phrase(status);
  }

  bool beat(const std::string& session, double timeout_s) override {
    grpc::ClientContext context;
    authorise(context);
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::microseconds(static_cast<long>(timeout_s * 1e6)));
    {
      const std::scoped_lock lock(mutex_);
      if (cancelled_) return false;
      beat_context_ = &context;
    }
    v1::BeatRequest request;
    request.set_session(session);
    v1::BeatReply reply;
    const grpc::Status status = grpc::internal::BlockingUnaryCall<v1::BeatRequest, v1::BeatReply>(
        channel_.get(), beat_method_, &context, request, &reply);
    const std::scoped_lock lock(mutex_);
    beat_context_ = nullptr;
    return status.ok() && reply.known();
  }

 private:
  void authorise(grpc::ClientContext& context) const {
    if (!token_.empty()) context.AddMetadata(kTokenKey, kTokenScheme + token_);
  }

  std::shared_ptr<grpc::Channel> channel_;
  std::string token_;
  grpc::internal::RpcMethod beat_method_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream_;
  std::atomic<bool> malformed_ = false;
  std::mutex mutex_;
  bool cancelled_ = false;
  grpc::ClientContext* beat_context_ = nullptr;
};

class GrpcConnection : public Connection {
 public:
  GrpcConnection(std::shared_ptr<grpc::Channel> channel, std::string token)
      : channel_(std::move(channel)), token_(std::move(token)) {}
  std::unique_ptr<ClientWire> session() override { return std::make_unique<Session>(channel_, token_); }
  void list(v1::ListReply& to, double timeout_s) override {
    const grpc::Status status = ask(to, timeout_s);
    if (!status.ok()) throw LinkError("server", phrase(status));
  }
  grpc::Status ask(v1::ListReply& to, double timeout_s) {
    grpc::ClientContext context;
    if (!token_.empty()) context.AddMetadata(kTokenKey, kTokenScheme + token_);
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::microseconds(static_cast<long>(timeout_s * 1e6)));
    v1::ListRequest request;
    request.set_version(kVersion);
    const grpc::internal::RpcMethod method(kListMethod, grpc::internal::RpcMethod::NORMAL_RPC);
    return grpc::internal::BlockingUnaryCall<v1::ListRequest, v1::ListReply>(channel_.get(), method, &context, request,
                                                                             &to);
  }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::string token_;
};

std::shared_ptr<grpc::ChannelCredentials> credentials(const Rights& rights) {
  if (rights.authority.empty()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = rights.authority;
  options.pem_cert_chain = rights.certificate;
  options.pem_private_key = rights.key;
  return grpc::SslCredentials(options);
}

}  // namespace

std::shared_ptr<Connection> connect(const Target& target, const Rights& rights, Clock::time_point deadline) {
  quieten_grpc();
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(kMessage));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);          // a proxy in the environment is not meant for devices
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a new connection does not wait for an old one's back-off
  if (!rights.tls_name.empty()) arguments.SetSslTargetNameOverride(rights.tls_name);
  const auto channel = grpc::CreateCustomChannel(target.server, credentials(rights), arguments);
  const auto until = system_time(deadline);
  grpc_connectivity_state state = channel->GetState(true);
  while (state != GRPC_CHANNEL_READY && state != GRPC_CHANNEL_TRANSIENT_FAILURE && state != GRPC_CHANNEL_SHUTDOWN &&
         channel->WaitForStateChange(state, until))
    state = channel->GetState(false);
  auto connection = std::make_shared<GrpcConnection>(channel, rights.token);
  if (state == GRPC_CHANNEL_READY) return connection;
  v1::ListReply reply;
  std::string why = state == GRPC_CHANNEL_TRANSIENT_FAILURE ? phrase(connection->ask(reply, 0.5)) : "no answer in time";
  if (why.find("certificate") != why.npos)
    if (const std::string verdict = why_untrusted(target.server, rights.authority); !verdict.empty()) why = verdict;
  throw LinkError("remote:" + target.server, "cannot be reached: " + why, "",
                  rights.authority.empty() ? "Is `lightloop serve` running there, and does it want TLS (tls_ca=FILE)?"
                  : rights.certificate.empty()
                      ? "Is `lightloop serve` running there, and does it want our certificate (tls_cert=FILE)?"
                      : "Is `lightloop serve` running there, with TLS?");
}

}  // namespace lightloop::remote
