#include "demo/mesh.h"

#include "demo/addresses.h"
#include "demo/service.h"

#include <unistd.h>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace weft::demo {

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return system_error("cannot read " + path, errno);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

namespace {

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}

std::string text_at(const boost::json::object& object, std::string_view parent, std::string_view key) {
  const boost::json::value* map = object.if_contains(parent);
  const boost::json::value* value = map != nullptr && map->is_object() ? map->get_object().if_contains(key) : nullptr;
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::map<std::string, std::string> strings_of(const boost::json::object& object, std::string_view parent, std::string_view key) {
  std::map<std::string, std::string> result;
  const boost::json::value* map = object.if_contains(parent);
  const boost::json::value* value = map != nullptr && map->is_object() ? map->get_object().if_contains(key) : nullptr;
  if (value != nullptr && value->is_object())
    for (const auto& [name, entry] : value->get_object())
      if (entry.is_string()) result[std::string(name)] = std::string(entry.get_string());
  return result;
}

// /stats?filter=ejections_(active|enforced_total)$|upstream_rq_retry$
constexpr const char* kCountsPage = "/stats?filter=ejections_%28active%7Cenforced_total%29%24%7Cupstream_rq_retry%24";

double work_of(const std::string& version) { return version == "v2" ? 5 : version == "premium" ? 4 : 2; }

}  // namespace

std::string Mesh::placed(std::string text) const {
  replace_all(text, "127.0.77.", prefix_);
  replace_all(text, "targetPort: 8080", "targetPort: " + std::to_string(target_port_));
  replace_all(text, "targetPort: 18080", "targetPort: " + std::to_string(gateway_port_));
  return text;
}

Status Mesh::read_workloads(const std::string& services_yaml, std::vector<Workload>& workloads) const {
  World world;
  if (Status parsed = world.add(placed(services_yaml), "services.yaml"); !parsed) return parsed;
  for (const boost::json::object* pod : world.of_kind("Pod")) {
    Workload workload;
    workload.name = text_at(*pod, "metadata", "name");
    workload.ns = text_at(*pod, "metadata", "namespace");
    workload.ip = text_at(*pod, "status", "podIP");
    workload.labels = strings_of(*pod, "metadata", "labels");
    workload.app = workload.labels["app"];
    workload.version = workload.labels["version"];
    workload.fail = strings_of(*pod, "metadata", "annotations")["demo.weft.dev/fail"] == "true";
    workloads.push_back(std::move(workload));
  }
  return {};
}

Status Mesh::choose_places(const std::string& services_yaml) {
  std::vector<Workload> workloads;
  if (Status read = read_workloads(services_yaml, workloads); !read) return read;
  std::vector<int> hosts;
  for (const Workload& workload : workloads) hosts.push_back(std::stoi(workload.ip.substr(workload.ip.rfind('.') + 1)));
  const Result<std::string> prefix = free_prefix(77, hosts, 8080);
  if (!prefix) return prefix.error();
  prefix_ = *prefix;
  std::vector<std::string> ips;
  for (int host : hosts) ips.push_back(prefix_ + std::to_string(host));
  for (unsigned short* port : {&target_port_, &gateway_port_, &inner_outbound_port_, &admin_port_}) {
    const Result<unsigned short> found = common_port(ips, *port);
    if (!found) return found.error();
    *port = *found;
  }
  outbound_port_ = target_port_;
  return {};
}

Status Mesh::start_control(const Options& options, RunFolder& folder) {
  const Result<unsigned short> api = free_port("127.0.0.1"), xds = free_port("127.0.0.1");
  if (!api) return api.error();
  if (!xds) return xds.error();
  xds_ = {"127.0.0.1", *xds};
  control_ = std::make_unique<Control>(Address{"127.0.0.1", *api});
  std::filesystem::create_directory(folder.file("store"));
  Result<Process> process =
      Process::start("weft-control", control_command(options.programs + "/weft-control", folder.file("store"), control_->address(), xds_),
                     folder.file("weft-control.log"));
  if (!process) return process.error();
  controller_ = std::move(*process);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!control_->ready()) {
    if (!controller_.alive()) return invalid("weft-control " + controller_.verdict() + "\n" + controller_.tail());
    if (std::chrono::steady_clock::now() > deadline) return invalid("weft-control is not ready after 20 s\n" + controller_.tail());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return {};
}

Status Mesh::start_workload(const Options& options, RunFolder& folder, const Workload& workload) {
  const bool gateway = workload.labels.contains("istio"), shopfront = workload.app == "shopfront";
  ProxyNode node{gateway, workload.ip, workload.name, workload.ns, workload.labels, {}, {}};
  node.outbound_ports[8080] = shopfront ? outbound_port_ : inner_outbound_port_;
  if (gateway) gateway_ip_ = workload.ip;
  if (shopfront) shopfront_ip_ = workload.ip;
  if (!gateway && !shopfront) {
    const Result<Listening> socket = listen_on(workload.ip);
    if (!socket) return socket.error();
    node.application_ports[target_port_] = socket->port;
    ServiceOptions service;
    service.name = workload.app;
    service.version = workload.version;
    service.instance = workload.name;
    service.work_milliseconds = work_of(workload.version);
    service.fail = workload.fail;
    if (workload.app.starts_with("order-service")) {
      service.calls = {"user-service", "product-service"};
      service.outbound = Address{workload.ip, inner_outbound_port_}.text();
    }
    std::vector<std::string> arguments = to_arguments(service);
    arguments.insert(arguments.begin(), std::filesystem::read_symlink("/proc/self/exe").string());
    Result<Process> process = Process::start(workload.name, arguments, folder.file(workload.name + ".service.log"), socket->fd);
    close(socket->fd);
    if (!process) return process.error();
    services_.push_back(std::move(*process));
  }
  const std::string file = folder.file(workload.name + ".yaml");
  std::ofstream(file) << bootstrap_yaml(node, {workload.ip, admin_port_}, xds_);
  Result<Process> proxy =
      Process::start("proxy of " + workload.name,
                     {options.proxy, "-c", file, "--concurrency", "1", "--disable-hot-restart", "--use-dynamic-base-id", "-l", "warning"},
                     folder.file(workload.name + ".proxy.log"));
  if (!proxy) return proxy.error();
  proxies_.push_back(std::move(*proxy));
  return {};
}

Status Mesh::start(const Options& options, RunFolder& folder) {
  const Result<std::string> yaml = read_file(options.config + "/demo/services.yaml");
  if (!yaml) return yaml.error();
  if (Status chosen = choose_places(*yaml); !chosen) return chosen;
  if (Status started = start_control(options, folder); !started) return started;
  std::vector<Workload> workloads;
  if (Status read = read_workloads(*yaml, workloads); !read) return read;
  for (const Workload& workload : workloads)
    if (Status started = start_workload(options, folder, workload); !started) return started;
  return {};
}

void Mesh::stop() {
  for (Process& process : proxies_) process.terminate();
  for (Process& process : services_) process.terminate();
  for (Process& process : proxies_) process.stop(3);
  for (Process& process : services_) process.stop(1);
  controller_.stop(3);
  proxies_.clear();
  services_.clear();
}

std::vector<std::string> Mesh::casualties() {
  std::vector<std::string> words;
  const auto look = [&](Process& process) {
    if (process.pid() > 0 && !process.alive()) words.push_back(process.name() + " " + process.verdict() + "\n" + process.tail());
  };
  look(controller_);
  for (std::vector<Process>* group : {&proxies_, &services_})
    for (Process& process : *group) look(process);
  return words;
}

Counts Mesh::counts(const std::string& service) const {
  Counts counts;
  for (const std::string& ip : {shopfront_ip_, gateway_ip_}) {
    const Result<Reply> reply = http_request({ip, admin_port_}, "GET", kCountsPage, "", "", 1);
    if (!reply || reply->status != 200) continue;
    std::istringstream lines(reply->body);
    for (std::string line; std::getline(lines, line);) {
      const size_t colon = line.rfind(": ");
      if (colon == std::string::npos || line.find("|" + service + ".default.svc") == std::string::npos) continue;
      const long value = std::atol(line.c_str() + colon + 2);
      if (line.find("upstream_rq_retry:") != std::string::npos)
        counts.retries += value;
      else if (line.find("ejections_active") != std::string::npos)
        counts.ejected_now += value;
      else if (line.find("ejections_enforced_total") != std::string::npos)
        counts.ejections += value;
    }
  }
  return counts;
}

}  // namespace weft::demo
