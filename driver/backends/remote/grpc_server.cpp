// The server's end of gRPC.
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/codegen/method_handler.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/codegen/rpc_service_method.h>
#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/support/sync_stream.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/error.hpp"
#include "core/file.hpp"
#include "driver/backends/remote/certificate.hpp"
#include "driver/backends/remote/grpc_common.hpp"
#include "driver/backends/remote/host.hpp"
#include "driver/backends/remote/listen.hpp"
#include "driver/backends/remote/messages.hpp"
#include "driver/backends/remote/payload.hpp"
#include "driver/backends/remote/remote.pb.h"
#include "driver/backends/remote/server.hpp"

namespace lightloop::remote {
namespace {

using Stream = grpc::ServerReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;

class Wire : public ServerWire {
 public:
  Wire(grpc::ServerContext& context, Stream& stream) : context_(context), stream_(stream) {}
  Received read(v1::FromClient& to) override {
    if (!stream_.Read(&buffer_)) return Received::end;
    return decode(buffer_, to) ? Received::message : Received::malformed;
  }
  bool write(const v1::FromServer& message) override {
    const grpc::ByteBuffer bytes = encode(message);
    const std::scoped_lock lock(writing_);
    return stream_.Write(bytes);
  }
  void cancel() override { context_.TryCancel(); }

 private:
  grpc::ServerContext& context_;
  Stream& stream_;
  grpc::ByteBuffer buffer_;
  std::mutex writing_;  // a goodbye comes from another thread
};

class Service : public grpc::Service {
 public:
  Service(Host& host, std::string token) : host_(host), token_(std::move(token)) {
    using grpc::internal::RpcMethod;
    using grpc::internal::RpcServiceMethod;
    AddMethod(
        new RpcServiceMethod(kSessionMethod, RpcMethod::BIDI_STREAMING,
                             new grpc::internal::BidiStreamingHandler<Service, grpc::ByteBuffer, grpc::ByteBuffer>(
                                 [](Service* self, grpc::ServerContext* context, Stream* stream) {
                                   return self->session(*context, *stream);
                                 },
                                 this)));
    AddMethod(new RpcServiceMethod(
        kBeatMethod, RpcMethod::NORMAL_RPC,
        new grpc::internal::RpcMethodHandler<Service, v1::BeatRequest, v1::BeatReply>(
            [](Service* self, grpc::ServerContext* context, const v1::BeatRequest* request, v1::BeatReply* reply) {
              if (!self->knows(*context)) return refusal();
              reply->set_known(self->host_.beat(request->session()));
              return grpc::Status::OK;
            },
            this)));
    AddMethod(new RpcServiceMethod(
        kListMethod, RpcMethod::NORMAL_RPC,
        new grpc::internal::RpcMethodHandler<Service, v1::ListRequest, v1::ListReply>(
            [](Service* self, grpc::ServerContext* context, const v1::ListRequest*, v1::ListReply* reply) {
              if (!self->knows(*context)) return refusal();
              self->host_.list(*reply);
              return grpc::Status::OK;
            },
            this)));
  }

 private:
  static grpc::Status refusal() { return {grpc::StatusCode::UNAUTHENTICATED, "the token is missing or wrong"}; }

  bool knows(const grpc::ServerContext& context) const {
    if (token_.empty()) return true;
    const auto& metadata = context.client_metadata();
    const auto found = metadata.find(kTokenKey);
    const std::string given = found == metadata.end() ? "" : std::string(found->second.data(), found->second.size());
    return same_token(given, kTokenScheme + token_);
  }

  grpc::Status session(grpc::ServerContext& context, Stream& stream) {
    Wire wire(context, stream);
    if (!knows(context)) {
      v1::FromServer message;
      put(LinkError("server", "refused: the token is missing or wrong", "",
                    "Give token_file=FILE with the server's token."),
          *message.mutable_refusal());
      wire.write(message);
      return refusal();
    }
    host_.converse(wire);
    return grpc::Status::OK;
  }

  Host& host_;
  std::string token_;
};

std::shared_ptr<grpc::ServerCredentials> credentials(const ServerOptions& options) {
  if (options.tls_cert.empty()) return grpc::InsecureServerCredentials();
  const std::string certificate = read_file(options.tls_cert);
  check_certificate(certificate, options.tls_cert);
  grpc::SslServerCredentialsOptions ssl(options.tls_ca.empty()
                                            ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                            : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  const std::string key = read_file(options.tls_key);
  check_key(certificate, key, options.tls_cert, options.tls_key);
  ssl.pem_key_cert_pairs.push_back({key, certificate});
  if (!options.tls_ca.empty()) {
    ssl.pem_root_certs = read_file(options.tls_ca);
    check_certificate(ssl.pem_root_certs, options.tls_ca);
  }
  return grpc::SslServerCredentials(ssl);
}

HostOptions host_options(const ServerOptions& options) {
  HostOptions to;
  to.timeout_s = options.timeout_s;
  to.max_sessions = options.max_sessions;
  if (options.observer)
    to.observer = [observer = options.observer](const Visit& visit) {
      constexpr const char* kWhat[] = {"came", "left", "lost"};
      observer(kWhat[static_cast<int>(visit.what)], visit.client, visit.device, visit.frames);
    };
  return to;
}

}  // namespace

struct Server::Impl {
  Impl(const ServerOptions& options, const Registry& registry)
      : host(name_devices(options.devices), registry, host_options(options)),
        service(host, options.token_file.empty() ? "" : read_token(options.token_file)) {}

  Host host;
  Service service;
  std::string address;
  std::unique_ptr<grpc::Server> server;
  std::mutex mutex;
  std::condition_variable stirred;
  bool stopping = false;
  std::thread watch;
};

Server::Server(ServerOptions options, const Registry& registry) {
  check_listen(options);
  quieten_grpc();
  for (const Served& device : name_devices(options.devices)) registry.open_params(device.address);
  const auto rights = credentials(options);
  impl_ = std::make_unique<Impl>(options, registry);
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  grpc::ResourceQuota quota("lightloop serve");
  const int threads = static_cast<int>(2 * options.max_sessions) + 8;  // a session and its heartbeat each, and a few
  quota.SetMaxThreads(threads);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(static_cast<int>(kMessage));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT,
                             0);  // else two servers may share a port, each getting some clients
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kKeepaliveMs / 2);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, threads);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 16 * 1024);
  int port = 0;
  builder.AddListeningPort(options.listen, rights, &port);
  builder.RegisterService(&impl_->service);
  impl_->server = builder.BuildAndStart();
  if (!impl_->server || port == 0) throw cannot_listen(options.listen);
  impl_->address = listening(options.listen, port);
  impl_->server->GetHealthCheckService()->SetServingStatus("lightloop.v1.Devices", true);
  impl_->watch = std::thread([&impl = *impl_, interval = std::chrono::duration<double>(options.timeout_s / 10)] {
    std::unique_lock lock(impl.mutex);
    while (!impl.stirred.wait_for(lock, interval, [&] { return impl.stopping; })) impl.host.expire();
  });
}

Server::~Server() {
  if (!impl_ || !impl_->server) return;
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->stirred.notify_all();
  if (impl_->watch.joinable()) impl_->watch.join();
  std::thread goodbye([&] { impl_->host.stop(); });  // a client that does not read must not keep us
  impl_->server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  goodbye.join();
  impl_->server->Wait();
}

const std::string& Server::address() const { return impl_->address; }

std::vector<std::pair<std::string, std::string>> Server::devices() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (const Served& device : impl_->host.devices()) all.emplace_back(device.name, device.address);
  return all;
}

}  // namespace lightloop::remote
