#include "driver/backends/remote/client.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "driver/backends/remote/messages.hpp"
#include "driver/backends/remote/remote.pb.h"

namespace lightloop::remote {
namespace {

std::span<const std::byte> bytes_of(const ConstFrames& frames) {
  return {static_cast<const std::byte*>(frames.data),
          static_cast<std::size_t>(frames.count * frames.size * frames.bytes)};
}

Incoming nothing(const v1::Reply&) { return {}; }

v1::Reply ask(Link& link, v1::Request& request, const std::string& event, Outgoing payload = {},
              const Link::Sink& sink = nothing, const Link::Deadline& deadline = {}) {
  v1::Reply reply;
  link.call(request, event, std::move(payload), sink, reply, deadline);
  return reply;
}

v1::Reply open(Link& link, const std::string& name, v1::Open::Use use, const Settings& settings) {
  v1::Request request;
  request.mutable_open()->set_device(name);
  request.mutable_open()->set_use(use);
  put(settings, *request.mutable_open()->mutable_settings());
  return ask(link, request, "opening " + name, {}, nothing);
}

std::string event_of(const v1::Run& run) {
  const std::uint64_t first = run.first_frame_id();
  std::string text = "run of " + std::to_string(run.frames()) + " frames";
  if (run.frames() > 0)
    text += " (ids " + std::to_string(first) + ".." + std::to_string(first + run.frames() - 1) + ")";
  return text;
}

class RemoteDevice : public Device, private Ensemble {
 public:
  RemoteDevice(std::unique_ptr<Link> link, const v1::Description& description) : link_(std::move(link)) {
    learn(description);
  }
  ~RemoteDevice() override {
    try {
      RemoteDevice::close();
    } catch (const std::exception&) {
      // the server lets the device go by itself when the session ends
    }
  }

  const DeviceInfo& describe() const override { return now_.info; }
  const ParamSet& settings() const override { return now_.settings; }

  void configure(const Settings& changes) override {
    check_open(open_);
    v1::Request request;
    put(changes, *request.mutable_configure());
    learn(ask(*link_, request, "configure").description());
  }

  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    check_open(open_);
    check_frames(in, out, options);
    v1::Request request;
    request.mutable_run()->set_transposed(options.pass == Pass::transposed);
    return show(request, in, out, options);
  }

  void program(ConstFrames codes) override {
    check_open(open_);
    check_program(codes);
    v1::Request request;
    request.mutable_program();
    learn(ask(*link_, request, "program", Outgoing({bytes_of(codes)})).description());
  }

  void reset() override {
    check_open(open_);
    v1::Request request;
    request.mutable_reset();
    learn(ask(*link_, request, "reset").description());
  }

  std::vector<std::byte> snapshot() const override {
    check_open(open_);
    v1::Request request;
    request.mutable_snapshot();
    std::vector<std::byte> state;
    ask(*link_, request, "snapshot", {}, [&](const v1::Reply& reply) {
      constexpr std::uint64_t kMost = std::uint64_t{1} << 32;
      if (reply.payload_bytes() > kMost)
        throw LinkError(link_->name(), "a snapshot of " + std::to_string(reply.payload_bytes()) + " bytes");
      state.resize(static_cast<std::size_t>(reply.payload_bytes()));
      return Incoming({state});
    });
    return state;
  }

  void restore(const std::vector<std::byte>& state) override {
    check_open(open_);
    v1::Request request;
    request.mutable_restore();
    learn(ask(*link_, request, "restore", Outgoing({state})).description());
  }

  SelfTest self_test() override {
    check_open(open_);
    v1::Request request;
    request.mutable_self_test();
    const v1::Reply reply = ask(*link_, request, "self-test");
    return {reply.self_test().passed(), reply.self_test().detail()};
  }

  std::vector<Monitor> monitors() const override {
    check_open(open_);
    v1::Request request;
    request.mutable_monitors();
    const v1::Reply reply = ask(*link_, request, "monitors");
    std::vector<Monitor> all;
    for (const v1::Monitor& one : reply.monitors().monitors()) all.push_back({one.name(), one.unit(), one.value()});
    return all;
  }

  Ensemble* ensemble() override { return now_.ensemble ? this : nullptr; }

  void close() override {
    if (!open_) return;
    open_ = false;
    try {
      v1::Request request;
      request.mutable_close();
      ask(*link_, request, "close", {}, nothing, Link::Clock::now() + std::chrono::seconds(2));
    } catch (const Error&) {
      // a link that is broken needs no goodbye
    }
    link_->finish();
  }

 private:
  void configure_members(const std::vector<Settings>& members) override {
    check_open(open_);
    v1::Request request;
    for (const Settings& member : members) put(member, *request.mutable_members()->add_members());
    request.mutable_members();
    ask(*link_, request, "configure_members");
    members_ = static_cast<std::uint32_t>(members.size());
  }

  RunReport run_members(ConstFrames in, Frames out, const RunOptions& options) override {
    check_open(open_);
    check_run(now_.info, in, out, options.pass);
    check_deadline(options, now_.info.model);
    v1::Request request;
    request.mutable_run()->set_transposed(options.pass == Pass::transposed);
    request.mutable_run()->set_members(std::max(members_, 1u));
    return show(request, in, out, options);
  }

  RunReport show(v1::Request& request, const ConstFrames& in, const Frames& out, const RunOptions& options) {
    v1::Run& run = *request.mutable_run();
    run.set_frames(static_cast<std::uint64_t>(in.count));
    run.set_first_frame_id(options.first_frame_id);
    run.set_aux(static_cast<std::uint32_t>(in.aux.cols()));
    run.set_numbers(options.numbers != nullptr);
    aux_.resize(in.aux.cols() > 0 ? in.count : 0, in.aux.cols());
    for (Index r = 0; r < aux_.rows(); ++r) std::ranges::copy(in.aux.row(r), aux_.row(r).begin());
    const auto n_out = static_cast<std::size_t>(out.count * out.size * out.bytes);
    const auto n_numbers = options.numbers ? static_cast<std::size_t>(out.count) : 0;
    const v1::Reply reply = ask(
        *link_, request, event_of(run), Outgoing({bytes_of(in), std::as_bytes(aux_.flat())}),
        [&](const v1::Reply&) {
          return Incoming({{static_cast<std::byte*>(out.data), n_out},
                           std::as_writable_bytes(std::span(options.numbers, n_numbers))});
        },
        options.deadline);
    return take(reply.report());
  }

  void learn(const v1::Description& description) { now_ = take(description); }

  std::unique_ptr<Link> link_;
  Described now_;
  Matrix<std::uint16_t> aux_;
  std::uint32_t members_ = 0;
  bool open_ = true;
};

class RemoteTwin : public Twin {
 public:
  RemoteTwin(std::unique_ptr<Link> link, const v1::TwinInfo& info)
      : link_(std::move(link)),
        inputs_(static_cast<Index>(info.inputs())),
        outputs_(static_cast<Index>(info.outputs())),
        parameters_(static_cast<Index>(info.parameters())),
        cost_{static_cast<Index>(info.exposures()), info.readings(), info.reading_j()} {
    for (const v1::FitParameter& one : info.fit()) fit_.push_back({one.name(), one.unit(), one.value(), one.sigma()});
  }

  Index inputs() const override { return inputs_; }
  Index outputs() const override { return outputs_; }
  Index parameters() const override { return parameters_; }
  GradientCost gradient_cost() const override { return cost_; }
  std::vector<FitParameter> fit_parameters() const override { return fit_; }

  void program(View<const float> theta) override {
    if (parameters_ == 0) Twin::program(theta);
    check(theta, 1, parameters_, "programme");
    call(v1::TwinCall::PROGRAM, 0, {packed(theta)}, {}, false);
  }

  void forward(View<const float> x, View<float> y) const override {
    check(x, x.rows(), inputs_, "input");
    check(View<const float>(y), x.rows(), outputs_, "output");
    Matrix<float> answer(y.rows(), y.cols());
    call(v1::TwinCall::FORWARD, x.rows(), {packed(x)}, {std::as_writable_bytes(answer.flat())}, false);
    for (Index r = 0; r < y.rows(); ++r) std::ranges::copy(answer.row(r), y.row(r).begin());
  }

  void vjp(View<const float> x, View<const float> grad_y, View<float> grad_x, View<float> grad_theta) const override {
    check(x, x.rows(), inputs_, "input");
    check(grad_y, x.rows(), outputs_, "gradient");
    check(View<const float>(grad_x), x.rows(), inputs_, "gradient");
    const bool theta = !grad_theta.empty();
    if (theta) check(View<const float>(grad_theta), 1, parameters_, "gradient of the programme");
    Matrix<float> gx(x.rows(), inputs_), gt(theta ? 1 : 0, parameters_);
    call(v1::TwinCall::VJP, x.rows(), {packed(x), packed(grad_y)},
         {std::as_writable_bytes(gx.flat()), std::as_writable_bytes(gt.flat())}, theta);
    for (Index r = 0; r < gx.rows(); ++r) std::ranges::copy(gx.row(r), grad_x.row(r).begin());
    if (theta)
      for (Index i = 0; i < parameters_; ++i) grad_theta(0, i) += gt(0, i);
  }

  void measure(View<const float> x, View<const float> grad_y, std::uint64_t first_sample,
               View<float> grad_theta) const override {
    if (cost_.exposures == 0) return Twin::measure(x, grad_y, first_sample, grad_theta);
    check(x, x.rows(), inputs_, "input");
    check(grad_y, x.rows(), outputs_, "gradient");
    check(View<const float>(grad_theta), 1, parameters_, "gradient of the programme");
    Matrix<float> gt(1, parameters_);
    call(v1::TwinCall::MEASURE, x.rows(), {packed(x), packed(grad_y)}, {std::as_writable_bytes(gt.flat())}, true,
         first_sample);
    for (Index i = 0; i < parameters_; ++i) grad_theta(0, i) += gt(0, i);
  }

 private:
  static Matrix<float> packed(View<const float> from) {
    Matrix<float> to(from.rows(), from.cols());
    for (Index r = 0; r < from.rows(); ++r) std::ranges::copy(from.row(r), to.row(r).begin());
    return to;
  }
  void check(View<const float> given, Index rows, Index cols, const std::string& what) const {
    if (given.rows() != rows || given.cols() != cols)
      throw ShapeMismatch("twin of " + link_->name() + ", " + what,
                          std::to_string(given.rows()) + " x " + std::to_string(given.cols()),
                          std::to_string(rows) + " x " + std::to_string(cols) + " expected");
  }
  void call(v1::TwinCall::Kind kind, Index rows, const std::vector<Matrix<float>>& in,
            const std::vector<std::span<std::byte>>& out, bool theta, std::uint64_t first_sample = 0) const {
    v1::Request request;
    request.mutable_twin()->set_kind(kind);
    request.mutable_twin()->set_rows(static_cast<std::uint64_t>(rows));
    request.mutable_twin()->set_theta(theta);
    request.mutable_twin()->set_first_sample(first_sample);
    std::vector<std::span<const std::byte>> pieces;
    for (const Matrix<float>& one : in) pieces.push_back(std::as_bytes(one.flat()));
    ask(*link_, request, "twin", Outgoing(std::move(pieces)), [&](const v1::Reply&) { return Incoming(out); });
  }

  std::unique_ptr<Link> link_;
  Index inputs_, outputs_, parameters_;
  GradientCost cost_;
  std::vector<FitParameter> fit_;
};

}  // namespace

std::unique_ptr<Device> open_device(std::unique_ptr<Link> link, const std::string& name, const Settings& settings) {
  const v1::Reply reply = open(*link, name, v1::Open::DEVICE, settings);
  return std::make_unique<RemoteDevice>(std::move(link), reply.description());
}

std::unique_ptr<Twin> open_twin(std::unique_ptr<Link> link, const std::string& name, const Settings& settings) {
  const v1::Reply reply = open(*link, name, v1::Open::TWIN, settings);
  constexpr std::uint64_t kMost = std::uint64_t{1} << 40;  // far above any, far below overflow
  if (std::max({reply.twin().inputs(), reply.twin().outputs(), reply.twin().parameters(), reply.twin().exposures()}) >
      kMost)
    throw LinkError(link->name(), "a twin of impossible size");
  return std::make_unique<RemoteTwin>(std::move(link), reply.twin());
}

std::vector<ParamInfo> open_params(Link& link, const std::string& name) {
  return take_parameters(open(link, name, v1::Open::PARAMETERS, {}).description());
}

}  // namespace lightloop::remote
