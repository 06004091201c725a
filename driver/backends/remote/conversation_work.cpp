// The requests with payloads: frames, programmes, snapshots, and what a twin computes.
#include <chrono>
#include <limits>

#include "core/error.hpp"
#include "driver/backends/remote/conversation.hpp"
#include "driver/backends/remote/messages.hpp"
#include "driver/backends/remote/remote.pb.h"

namespace lightloop::remote {
namespace {

std::span<std::byte> bytes_of(const Frames& frames) {
  return {static_cast<std::byte*>(frames.data), static_cast<std::size_t>(frames.count * frames.size * frames.bytes)};
}

template <class T>
std::span<std::byte> bytes_of(Matrix<T>& matrix) {
  return std::as_writable_bytes(matrix.flat());
}

/// rows x cols elements of `bytes`, as sizes that can be made. Throws OutOfRange before anything is allocated.
Index checked_rows(std::uint64_t rows, Index cols, std::size_t bytes, std::uint64_t max_bytes,
                   const std::string& what) {
  const std::uint64_t row = static_cast<std::uint64_t>(std::max<Index>(cols, 1)) * bytes;
  if (rows > max_bytes / row)
    throw OutOfRange(what, std::to_string(rows) + " rows of " + std::to_string(row) + " bytes",
                     "at most " + std::to_string(max_bytes) + " bytes at once");
  return static_cast<Index>(rows);
}

RunOptions options_of(const v1::Request& request) {
  const v1::Run& run = request.run();
  RunOptions options{.first_frame_id = run.first_frame_id(),
                     .pass = run.transposed() ? Pass::transposed : Pass::forward};
  if (request.has_remaining_ns()) {
    constexpr std::uint64_t kYear = 365ull * 24 * 3600 * 1'000'000'000;
    options.deadline = std::chrono::steady_clock::now() +
                       std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(request.remaining_ns(), kYear)));
  }
  return options;
}

}  // namespace

void Conversation::run_frames(const v1::Request& request, v1::Reply& reply, Outgoing& out) {
  const v1::Run& run = request.run();
  RunOptions options = options_of(request);
  const DeviceInfo& info = device().describe();
  const bool forward = options.pass == Pass::forward;
  const Index n_in = (forward ? info.input : info.output).size(), n_out = (forward ? info.output : info.input).size();
  const Index n_aux = static_cast<Index>(run.aux());
  if (n_aux != 0 && n_aux != static_cast<Index>(info.aux_inputs.size()))
    throw ShapeMismatch(info.model + " auxiliary codes", std::to_string(n_aux) + " per frame",
                        std::to_string(info.aux_inputs.size()) + " expected");
  const std::uint64_t most = host_.options_.max_bytes;
  checked_rows(run.frames(), n_out, static_cast<std::size_t>(info.output.bytes()), most, info.model + " batch");
  checked_rows(run.frames(), n_aux, 2, most, info.model + " batch");
  if (run.numbers() && info.pairing != Pairing::counted)
    throw Unsupported(info.model + " (" + info.kind + ")", "does not number its exposures");
  checked_rows(run.frames(), 8, 1, most, info.model + " batch");
  const Index count =
      checked_rows(run.frames(), n_in, static_cast<std::size_t>(info.input.bytes()), most, info.model + " batch");
  if (run.members() == 0 && count > info.max_batch)
    throw OutOfRange(info.model + " batch", std::to_string(count) + " frames",
                     "at most " + std::to_string(info.max_batch));
  in_.resize(info.input.bytes(), n_in, count);
  out_.resize(info.output.bytes(), n_out, count);
  aux_.resize(count, n_aux);
  receive(request, Incoming({bytes_of(in_.frames()), bytes_of(aux_)}));
  ConstFrames in = in_.frames();
  if (n_aux > 0) in.aux = aux_.view();
  numbers_.resize(1, run.numbers() ? count : 0);
  if (run.numbers()) options.numbers = numbers_.data();
  RunReport report;
  if (run.members() == 0) {
    report = device().run(in, out_.frames(), options);
  } else {
    Ensemble* ensemble = device().ensemble();
    if (!ensemble) throw Unsupported(info.model, "has no ensemble");
    report = ensemble->run_members(in, out_.frames(), options);
  }
  frames_ += report.frames;
  put(report, *reply.mutable_report());
  out = Outgoing({bytes_of(out_.frames()), bytes_of(numbers_)});
}

void Conversation::program(const v1::Request& request) {
  const DeviceInfo& info = device().describe();
  if (!info.program) throw Unsupported(info.model + " (" + info.kind + ")", "has no programming");
  in_.resize(*info.program, 1);
  receive(request, Incoming({bytes_of(in_.frames())}));
  device().program(in_.frames());
}

void Conversation::restore(const v1::Request& request) {
  if (request.payload_bytes() > host_.options_.max_bytes)
    throw OutOfRange("snapshot", std::to_string(request.payload_bytes()) + " bytes",
                     "at most " + std::to_string(host_.options_.max_bytes));
  device();
  state_.resize(static_cast<std::size_t>(request.payload_bytes()));
  receive(request, Incoming({state_}));
  device().restore(state_);
}

void Conversation::twin_call(const v1::Request& request, v1::Reply& reply, Outgoing& out) {
  if (!twin_) throw LinkError("session", "no twin is open");
  const v1::TwinCall& call = request.twin();
  const std::uint64_t most = host_.options_.max_bytes;
  const Index n_in = twin_->inputs(), n_out = twin_->outputs(), n_theta = twin_->parameters();
  checked_rows(call.rows(), n_out, sizeof(float), most, "rows for a twin");
  const Index rows = checked_rows(call.rows(), n_in, sizeof(float), most, "rows for a twin");
  switch (call.kind()) {
    case v1::TwinCall::PROGRAM:
      theta_.resize(1, n_theta);
      receive(request, Incoming({bytes_of(theta_)}));
      twin_->program(theta_);
      reply.mutable_done();
      return;
    case v1::TwinCall::FORWARD:
      x_.resize(rows, n_in);
      y_.resize(rows, n_out);
      receive(request, Incoming({bytes_of(x_)}));
      twin_->forward(x_, y_);
      out = Outgoing({bytes_of(y_)});
      break;
    case v1::TwinCall::VJP:
      x_.resize(rows, n_in);
      y_.resize(rows, n_out);
      grad_.resize(rows, n_in);
      theta_ = Matrix<float>(call.theta() ? 1 : 0, n_theta);
      receive(request, Incoming({bytes_of(x_), bytes_of(y_)}));
      twin_->vjp(x_, y_, grad_, call.theta() ? View<float>(theta_) : View<float>());
      out = Outgoing({bytes_of(grad_), bytes_of(theta_)});
      break;
    case v1::TwinCall::MEASURE:
      x_.resize(rows, n_in);
      y_.resize(rows, n_out);
      theta_ = Matrix<float>(1, n_theta);
      receive(request, Incoming({bytes_of(x_), bytes_of(y_)}));
      twin_->measure(x_, y_, call.first_sample(), theta_);
      out = Outgoing({bytes_of(theta_)});
      break;
    default:
      throw Unsupported("twin", "does not know this call", "version " + std::to_string(kVersion));
  }
  reply.mutable_done();
}

}  // namespace lightloop::remote
