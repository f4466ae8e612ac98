// A program with gRPC's own client, for the tests of clients without a proxy. Each line of its input, `TARGET METHOD COUNT [name=value
// ...]`, asks for so many calls with that metadata; the answer is one line of JSON: how often each reply, or each status code, came.
// Channels stay open between the lines.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <future>
#include <iostream>
#include <map>
#include <sstream>

namespace {

using Metadata = std::map<std::string, std::string>;

std::string call(grpc::GenericStub& stub, const std::string& method, const Metadata& metadata) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  for (const auto& [name, value] : metadata) context.AddMetadata(name, value);
  grpc::Slice nothing("", 0);
  grpc::ByteBuffer request(&nothing, 1), response;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, method, {}, &request, &response, [&](grpc::Status status) { done.set_value(std::move(status)); });
  const grpc::Status status = done.get_future().get();
  if (!status.ok()) return std::to_string(status.error_code());
  grpc::Slice whole;
  return response.DumpToSingleSlice(&whole).ok() ? std::string(reinterpret_cast<const char*>(whole.begin()), whole.size()) : "";
}

}  // namespace

int main() {
  std::map<std::string, std::unique_ptr<grpc::GenericStub>> stubs;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string target, method, word;
    int count = 0;
    words >> target >> method >> count;
    Metadata metadata;
    while (words >> word) metadata[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
    auto& stub = stubs[target];
    if (!stub) stub = std::make_unique<grpc::GenericStub>(grpc::CreateChannel(target, grpc::InsecureChannelCredentials()));
    std::map<std::string, int> counts;
    for (int i = 0; i < count; ++i) ++counts[call(*stub, method, metadata)];
    std::string separator;
    std::cout << "{";
    for (const auto& [answer, times] : counts) {
      std::cout << separator << "\"" << answer << "\": " << times;
      separator = ", ";
    }
    std::cout << "}" << std::endl;
  }
}
