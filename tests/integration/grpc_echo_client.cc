// A gRPC client of the real library, without a .proto: every form of call through the address that it is given, against the service of
// meshtest/grpc_echo.py. Prints a line for each failure and ends with their number.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Result {
  std::vector<std::string> replies;
  grpc::Status status;
};

class Client {
 public:
  explicit Client(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(16 << 20);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    stub_.emplace(grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
  }

  // All requests, then all replies. `cancel_after`: so many replies, then the call is cancelled.
  Result call(const std::string& method, const std::vector<std::string>& requests,
              std::chrono::milliseconds patience = std::chrono::seconds(20), size_t cancel_after = SIZE_MAX) {
    Result result;
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    context.set_deadline(std::chrono::system_clock::now() + patience);
    auto stream = stub_->PrepareCall(&context, "/test.Echo/" + method, &queue);
    bool ok = false;
    const auto wait = [&] {
      void* tag = nullptr;
      return queue.Next(&tag, &ok) && ok;
    };
    stream->StartCall(nullptr);
    bool alive = wait();
    for (size_t i = 0; i < requests.size() && alive; ++i) {
      const grpc::Slice slice(requests[i]);
      stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
      alive = wait();
    }
    if (alive) {
      stream->WritesDone(nullptr);
      wait();
    }
    for (;;) {
      if (result.replies.size() == cancel_after) context.TryCancel();
      grpc::ByteBuffer reply;
      stream->Read(&reply, nullptr);
      if (!wait()) break;
      std::vector<grpc::Slice> slices;
      reply.Dump(&slices);
      std::string text;
      for (const grpc::Slice& slice : slices) text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
      result.replies.push_back(std::move(text));
    }
    stream->Finish(&result.status, nullptr);
    wait();
    queue.Shutdown();
    void* tag = nullptr;
    while (queue.Next(&tag, &ok)) {
    }
    return result;
  }

 private:
  std::optional<grpc::GenericStub> stub_;
};

int failures = 0;

void expect(bool good, std::string_view what, const Result& result) {
  if (good) return;
  ++failures;
  std::printf("%.*s: %zu replies, status %d %s\n", static_cast<int>(what.size()), what.data(), result.replies.size(),
              static_cast<int>(result.status.error_code()), result.status.error_message().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 100;
  Client client(argv[1]);
  const std::string large(1 << 20, 'L');
  for (const std::string& text : {std::string("hello"), std::string(), large}) {
    Result result = client.call("Unary", {text});
    expect(result.status.ok() && result.replies == std::vector{text}, "unary", result);
    result = client.call("ServerStream", {text});
    expect(result.status.ok() && result.replies == std::vector<std::string>(4, text), "server stream", result);
    result = client.call("ClientStream", {text, "x", text});
    expect(result.status.ok() && result.replies == std::vector{text + "x" + text}, "client stream", result);
    result = client.call("BothStream", {text, "x", text});
    expect(result.status.ok() && result.replies == std::vector<std::string>{text, "x", text}, "both stream", result);
  }
  Result result = client.call("Fail", {"it"});
  expect(result.status.error_code() == grpc::StatusCode::NOT_FOUND && result.status.error_message() == "no such thing: it", "fail", result);
  result = client.call("FailLate", {"one"});
  expect(result.status.error_code() == grpc::StatusCode::NOT_FOUND && result.replies.size() == 1, "fail late", result);
  result = client.call("Missing", {"x"});
  expect(result.status.error_code() == grpc::StatusCode::UNIMPLEMENTED, "missing", result);
  result = client.call("Hang", {"x"}, std::chrono::milliseconds(200));
  expect(result.status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED, "deadline", result);
  result = client.call("ServerStream", {large}, std::chrono::seconds(20), 1);
  expect(result.status.error_code() == grpc::StatusCode::CANCELLED || result.status.ok(), "cancel", result);
  result = client.call("Unary", {"still there"});
  expect(result.status.ok(), "after a cancelled call", result);
  std::printf("%d failures\n", failures);
  return failures;
}
