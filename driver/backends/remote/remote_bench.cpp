// A batch of 4 MB to a device of a server and back, against bare gRPC that streams the same bytes in messages of the
// same size, both in this process and on this computer. The device only copies.
#include <benchmark/benchmark.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/method_handler.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/codegen/rpc_service_method.h>
#include <grpcpp/support/sync_stream.h>
#include <unistd.h>

#include "driver/backends/remote/echo_for_tests.hpp"
#include "driver/backends/remote/payload.hpp"
#include "driver/backends/remote/remote.hpp"
#include "driver/backends/remote/remote.pb.h"
#include "driver/backends/remote/server.hpp"

namespace lightloop {
namespace {

constexpr Index kFrame = 4096;
constexpr const char* kMethod = "/bare/Echo";

std::string address(bool local_socket, const char* name) {
  return local_socket ? "unix:/tmp/lightloop-bench-" + std::to_string(::getpid()) + name : "127.0.0.1:0";
}

void remote_batch(benchmark::State& state) {
  Registry registry;
  registry.add(test::echo_model());
  registry.add_backend("remote", remote::backend());
  remote::ServerOptions options;
  options.devices = {"sim:echo,size=" + std::to_string(kFrame)};
  options.listen = address(state.range(0), "a");
  const remote::Server server(options, registry);
  const auto device = registry.open("remote:" + server.address() + "/echo0");
  const Index count = static_cast<Index>(state.range(1)) / kFrame;
  const FrameBuffer in(device->describe().input, count);
  FrameBuffer out(device->describe().output, count);
  for (auto _ : state) device->run(in.frames(), out.frames());
  state.SetBytesProcessed(state.iterations() * 2 * state.range(1));
}

using Stream = grpc::ServerReaderWriter<v1::Chunk, v1::Chunk>;

class Bare : public grpc::Service {
 public:
  Bare() {
    using grpc::internal::RpcMethod;
    AddMethod(new grpc::internal::RpcServiceMethod(kMethod, RpcMethod::BIDI_STREAMING,
                                                   new grpc::internal::BidiStreamingHandler<Bare, v1::Chunk, v1::Chunk>(
                                                       [](Bare*, grpc::ServerContext*, Stream* stream) {
                                                         v1::Chunk chunk;
                                                         while (stream->Read(&chunk)) stream->Write(chunk);
                                                         return grpc::Status::OK;
                                                       },
                                                       this)));
  }
};

void bare_stream(benchmark::State& state) {
  Bare service;
  grpc::ServerBuilder builder;
  int port = 0;
  const std::string listen = address(state.range(0), "b");
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  const auto channel = grpc::CreateChannel(state.range(0) ? listen : "127.0.0.1:" + std::to_string(port),
                                           grpc::InsecureChannelCredentials());
  grpc::ClientContext context;
  const grpc::internal::RpcMethod method(kMethod, grpc::internal::RpcMethod::BIDI_STREAMING, channel);
  const std::unique_ptr<grpc::ClientReaderWriter<v1::Chunk, v1::Chunk>> stream(
      grpc::internal::ClientReaderWriterFactory<v1::Chunk, v1::Chunk>::Create(channel.get(), method, &context));
  const std::size_t bytes = static_cast<std::size_t>(state.range(1)), part = std::min(bytes, remote::kChunk);
  v1::Chunk chunk, back;
  chunk.set_payload(std::string(part, 'x'));
  for (auto _ : state) {
    std::thread writer([&] {  // both directions at once, as a stream is meant to be used
      for (std::size_t i = 0; i < bytes; i += part) stream->Write(chunk);
    });
    for (std::size_t i = 0; i < bytes; i += part) stream->Read(&back);
    writer.join();
  }
  stream->WritesDone();
  stream->Finish();
  state.SetBytesProcessed(state.iterations() * 2 * state.range(1));
}

void ways(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"unix", "bytes"})->UseRealTime()->Unit(benchmark::kMicrosecond);
  for (const int local : {0, 1})
    for (const int bytes : {4096, 128 << 10, 4 << 20}) benchmark->Args({local, bytes});
}
BENCHMARK(remote_batch)->Apply(ways);
BENCHMARK(bare_stream)->Apply(ways);

}  // namespace
}  // namespace lightloop
