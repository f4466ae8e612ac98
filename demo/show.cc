#include "demo/show.h"

#include "demo/json_text.h"

#include <sys/ioctl.h>
#include <unistd.h>
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <sstream>
#include <thread>

namespace weft::demo {
namespace {

// Answers to requests that were sent before a change say nothing about it: shown after a moment, judged after the longest delay.
constexpr auto kSettle = std::chrono::milliseconds(1200);
constexpr auto kJudgeAfter = std::chrono::milliseconds(4000);
constexpr auto kWindow = std::chrono::seconds(12);

bool starts_with_any(const std::string& route, const std::vector<std::string>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(), [&](const std::string& beginning) { return route.starts_with(beginning); });
}

asio::ip::tcp::endpoint endpoint_of(const Address& address) { return {asio::ip::make_address(address.ip), address.port}; }

std::string seconds_text(Clock::duration duration) {
  char text[16];
  std::snprintf(text, sizeof text, "%3.0f s", std::chrono::duration<double>(duration).count());
  return text;
}

}  // namespace

bool plausible(double asked_percent, double measured_percent, size_t samples) {
  if (samples == 0) return false;
  const double p = asked_percent / 100;
  return std::abs(asked_percent - measured_percent) <= 400 * std::sqrt(p * (1 - p) / static_cast<double>(samples)) + 2;
}

Show::Show(const Options& options, RunFolder& folder)
    : options_(options), folder_(folder), lanes_(demo_lanes(options.rate)), statistics_(lanes_.size()), load_(lanes_, statistics_) {
  terminal_ = isatty(STDOUT_FILENO) != 0 && !options.json;
  const char* term = std::getenv("TERM");
  if (term == nullptr || std::string_view(term) == "dumb") terminal_ = false;
  const char* no_colour = std::getenv("NO_COLOR");
  style_.colour = terminal_ && (no_colour == nullptr || *no_colour == '\0');
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* locale = std::getenv(name);
    if (locale == nullptr || *locale == '\0') continue;
    const std::string_view text = locale;
    style_.utf8 = text.find("UTF-8") != text.npos || text.find("utf8") != text.npos;
    break;
  }
}

Show::Event Show::wait(double seconds) {
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  timespec time{static_cast<time_t>(seconds), static_cast<long>((seconds - std::floor(seconds)) * 1e9)};
  if (sigtimedwait(&signals, nullptr, &time) > 0) ended_by_signal_ = true;
  return ended_by_signal_ ? Event::kSignal : Event::kTick;
}

void Show::erase_frame() {
  if (frame_lines_ > 0) std::printf("\033[%zuA\033[J", frame_lines_);
  frame_lines_ = 0;
}

void Show::say(const std::string& line) {
  if (options_.json) return;
  erase_frame();
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void Show::problem(const std::string& line) {
  problems_.emplace_back(line);
  std::string text = line;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (options_.json)
    std::fprintf(stderr, "%s\n", text.c_str());
  else
    say((style_.colour ? "\033[31m" : "") + std::string("! ") + text + (style_.colour ? "\033[0m" : ""));
}

bool Show::wait_for_listener(const Address& address) {
  for (int attempt = 0; attempt < 300; ++attempt) {
    if (http_request(address, "GET", "/", "", "", 1)) return true;
    if (wait(0.05) == Event::kSignal) return false;
    for (const std::string& words : mesh_.casualties()) problem(words);
  }
  return false;
}

void Show::introduce() {
  const Address api = mesh_.control().address(), gateway = mesh_.gateway(), shop = mesh_.shopfront();
  say("weft-control   http://" + api.text() + " (API), " + mesh_.xds().text() + " (xDS)");
  say("gateway        http://" + gateway.text() + "  for api.ecommerce.com, from outside");
  say("sidecars       " + std::to_string(mesh_.proxies() - 1) + " on " + mesh_.prefix() + "*; the shop front's takes calls at http://" +
      shop.text());
  say("your own file  copy it into " + folder_.file("drop") + "/ and it is applied");
  say("logs           " + folder_.path());
  say("");
}

void Show::suggest() {
  const std::string api = mesh_.control().address().text();
  say("");
  say("Worth trying next, in another terminal:");
  say("  " + options_.programs + "/weftctl --server http://" + api + " apply -f " + options_.config +
      "/demo/canary-half.yaml    # half of the users on v2");
  say("  curl -i -H 'host: user-service' -H 'canary: true' http://" + mesh_.shopfront().text() +
      "/users/7    # through the shop front's sidecar");
  say("  " + options_.programs + "/weftctl --server http://" + api + " status    # who runs which revision");
  say("");
}

bool Show::begin_chapter(size_t number) {
  const Chapter& chapter = story()[number];
  std::vector<NamedText> files;
  for (const std::string& name : chapter.files) {
    Result<std::string> text = read_file(options_.config + "/" + name);
    if (!text) {
      problem(text.error().detail);
      return false;
    }
    files.push_back({name, name.starts_with("demo/") ? mesh_.placed(*text) : *text});
  }
  const Applied applied = mesh_.control().apply(files);
  boost::json::object entry{{"what", chapter.what}, {"applied", applied.ok}, {"revision", nullptr}};
  if (!applied.revision.empty()) entry["revision"] = std::stoull(applied.revision);
  boost::json::array names, warnings;
  for (const std::string& name : chapter.files) names.emplace_back(name);
  for (const std::string& warning : applied.warnings) warnings.emplace_back(warning);
  entry["files"] = names;
  entry["warnings"] = warnings;
  chapters_.push_back(entry);
  if (!applied.ok) {
    problem(chapter.files[0] + " was refused");
    for (const std::string& error : applied.errors) problem("  " + error);
    return false;
  }
  for (const NamedText& file : files) (void)world_.add(file.text, file.name);
  changed_ = Clock::now();
  touched_ = chapter.routes;
  last_what_ = chapter.what;
  last_why_ = chapter.why;
  in_chapter_ = true;
  const std::string mark = style_.utf8 ? "● " : "* ";
  say((style_.colour ? "\033[1m" : "") + seconds_text(changed_ - begun_) + "  " + mark + chapter.what + (style_.colour ? "\033[0m" : ""));
  say("         " + chapter.why);
  for (const std::string& warning : applied.warnings) say("         warning: " + warning);
  return true;
}

// What the chapter's numbers came to: printed for a pipe, kept for the report, held against what was asked.
void Show::end_chapter() {
  if (!in_chapter_) return;
  in_chapter_ = false;
  const Clock::time_point now = Clock::now();
  if (!terminal_ && !options_.json) {
    const std::vector<Row> table = rows(std::max(changed_ + kSettle, now - kWindow), now);
    say(render(table, style_));
  }
  const Clock::time_point since = changed_ + kJudgeAfter;
  if (now - since < std::chrono::seconds(1)) return;  // too short to say anything
  boost::json::array shares;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    const std::map<std::string, Sum> sums = statistics_.sums(i, since, now);
    const std::optional<Shares> wanted = asked(world_, lanes_[i]);
    size_t total = 0;
    for (const auto& [version, sum] : sums) total += sum.count;
    std::set<std::string> versions;
    for (const auto& [version, sum] : sums) versions.insert(version);
    if (wanted)
      for (const auto& [version, percent] : *wanted) versions.insert(version);
    for (const std::string& version : versions) {
      const auto found = sums.find(version);
      const Sum sum = found != sums.end() ? found->second : Sum{};
      boost::json::object share{{"route", lanes_[i].route}, {"version", version},           {"measured", 100 * sum.share},
                                {"requests", sum.count},    {"per_second", sum.per_second}, {"p50_ms", sum.p50},
                                {"p99_ms", sum.p99},        {"failed", sum.failed}};
      if (wanted) {
        const double percent = wanted->contains(version) ? wanted->at(version) : 0;
        share["asked"] = percent;
        const bool fits = plausible(percent, 100 * sum.share, total);
        share["plausible"] = fits;
        if (!fits) {
          char text[200];
          std::snprintf(text, sizeof text, "%s: %s was asked for %.1f %% and measured at %.1f %% of %zu requests", lanes_[i].route.c_str(),
                        version.c_str(), percent, 100 * sum.share, total);
          problem(text);
        }
      }
      shares.push_back(share);
    }
  }
  if (!chapters_.empty()) chapters_.back().as_object()["shares"] = shares;
}

void Show::apply_dropped() {
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder_.file("drop"), error), end; !error && it != end; it.increment(error)) {
    const std::filesystem::path path = it->path();
    if (!it->is_regular_file() || (path.extension() != ".yaml" && path.extension() != ".yml" && path.extension() != ".json")) continue;
    std::error_code ignored;
    const auto stamp = std::filesystem::last_write_time(path, ignored).time_since_epoch().count();
    if (auto known = dropped_.find(path); known != dropped_.end() && known->second == stamp) continue;
    dropped_[path] = stamp;
    const Result<std::string> text = read_file(path);
    if (!text) continue;
    const Applied applied = mesh_.control().apply({{path.filename(), *text}});
    if (!applied.ok) {
      say("! your " + path.filename().string() + " was refused; nothing changed:");
      for (const std::string& line : applied.errors) say("    " + line);
      continue;
    }
    (void)world_.add(*text, path.filename());
    changed_ = Clock::now();
    touched_.clear();
    say(seconds_text(changed_ - begun_) + "  " + (style_.utf8 ? "● " : "* ") + "your " + path.filename().string() + " is in force" +
        (applied.revision.empty() ? "" : " (revision " + applied.revision + ")"));
    for (const std::string& warning : applied.warnings) say("         warning: " + warning);
  }
}

void Show::learn() {
  const std::vector<std::string> kinds{"VirtualService", "DestinationRule", "Gateway"};
  const Result<std::vector<boost::json::object>> objects = mesh_.control().objects(kinds);
  if (!objects) return;
  std::map<std::string, std::vector<std::string>> names;
  const std::vector<boost::json::object> before = world_.objects();
  for (const boost::json::object& object : *objects) {
    world_.add(object);
    const boost::json::object& metadata = object.at("metadata").as_object();
    const boost::json::value* ns = metadata.if_contains("namespace");
    names[std::string(object.at("kind").as_string())].push_back((ns ? std::string(ns->as_string()) : "default") + "/" +
                                                                std::string(metadata.at("name").as_string()));
  }
  for (const std::string& kind : kinds) world_.keep_only(kind, names[kind]);
}

std::vector<Row> Show::rows(Clock::time_point since, Clock::time_point now) const {
  std::vector<Row> table;
  std::set<std::string> counted;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    const std::map<std::string, Sum> sums = statistics_.sums(i, since, now);
    const std::optional<Shares> wanted = asked(world_, lanes_[i]);
    std::set<std::string> versions;
    for (const auto& [version, sum] : sums) versions.insert(version);
    if (wanted)
      for (const auto& [version, percent] : *wanted)
        if (percent >= 0.5) versions.insert(version);
    // The services first, then what faults and proxies made of the rest.
    std::vector<std::string> order(versions.begin(), versions.end());
    std::stable_partition(order.begin(), order.end(), [](const std::string& version) { return version.find(' ') == std::string::npos; });
    bool first = true;
    for (const std::string& version : order) {
      const auto found = sums.find(version);
      const Sum sum = found != sums.end() ? found->second : Sum{};
      Row row;
      row.version = version;
      if (wanted) row.asked = wanted->contains(version) ? wanted->at(version) : 0;
      row.measured = 100 * sum.share;
      row.per_second = sum.per_second;
      row.p50 = sum.p50;
      row.p99 = sum.p99;
      row.failed = sum.count > 0 ? 100 * static_cast<double>(sum.failed) / static_cast<double>(sum.count) : 0;
      row.changed = starts_with_any(lanes_[i].route, touched_);
      if (first) {
        row.route = lanes_[i].route;
        const std::string service = lanes_[i].gateway ? "order-service" : lanes_[i].host;
        if (counted.insert(service).second) {
          Counts counts = mesh_.counts(service);
          if (lanes_[i].gateway) counts.retries += mesh_.counts("order-service-v2").retries;
          row.retries = std::to_string(counts.retries);
          row.ejections =
              std::to_string(counts.ejections) + (counts.ejected_now > 0 ? " (" + std::to_string(counts.ejected_now) + " now)" : "");
        }
      }
      first = false;
      table.push_back(std::move(row));
    }
  }
  return table;
}

void Show::draw() {
  if (!terminal_) return;
  const Clock::time_point now = Clock::now();
  Clock::time_point since = std::max(changed_ + kSettle, now - kWindow);
  if (now - since < std::chrono::milliseconds(500)) since = now - std::chrono::milliseconds(500);
  std::string text = "\n" + render(rows(since, now), style_) + "\n";
  text += "  " + std::to_string(statistics_.total()) + " requests in " + seconds_text(now - begun_) +
          "   Ctrl-C ends it and leaves nothing behind\n";
  winsize size{};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
  // A frame taller than the screen could not be erased, a line wider than it would count twice: both are cut.
  std::istringstream lines(text);
  std::string frame;
  size_t count = 0;
  for (std::string line; std::getline(lines, line) && (!known || count + 1 < size.ws_row); ++count) {
    if (known && !style_.colour && line.size() > size.ws_col) line.resize(size.ws_col);
    frame += line + "\n";
  }
  erase_frame();
  // No wrapping while we draw.
  std::printf("\033[?7l%s\033[?7h", frame.c_str());
  std::fflush(stdout);
  frame_lines_ = count;
}

void Show::report() {
  boost::json::object json{{"ok", problems_.empty()},
                           {"finished", chapter_ > story().size()},
                           {"seconds", std::chrono::duration<double>(Clock::now() - begun_).count()},
                           {"requests", statistics_.total()},
                           {"chapters", chapters_},
                           {"problems", problems_}};
  boost::json::object counts;
  for (const char* service : {"order-service", "user-service", "product-service", "payment-service"}) {
    const Counts sums = mesh_.counts(service);
    counts[service] = boost::json::object{{"retries", sums.retries}, {"ejections", sums.ejections}, {"ejected_now", sums.ejected_now}};
  }
  json["services"] = counts;
  std::printf("%s\n", json_text(json).c_str());
}

int Show::run() {
  begun_ = changed_ = Clock::now();
  std::error_code ignored;
  std::filesystem::create_directory(folder_.file("drop"), ignored);
  if (folder_.swept() > 0)
    say("(removed what " + std::to_string(folder_.swept()) + " earlier run" + (folder_.swept() > 1 ? "s" : "") + " left behind)");
  if (Status started = mesh_.start(options_, folder_); !started) {
    problem(started.error().detail);
    if (options_.json) report();
    return 1;
  }
  introduce();

  // A pipe ends with the story; a terminal, or --keep, stays.
  const bool stays = options_.keep || (terminal_ && options_.seconds == 0);
  double step = options_.step;
  if (options_.seconds > 0) step = std::max(6.0, std::min(step, (options_.seconds - 3) / static_cast<double>(story().size())));
  if (!begin_chapter(0) || !wait_for_listener(mesh_.shopfront())) {
    if (!ended_by_signal_) problem("the shop front's sidecar opened no port for calls");
    if (options_.json) report();
    return 1;
  }
  load_.start(endpoint_of(mesh_.gateway()), endpoint_of(mesh_.shopfront()));
  chapter_ = 1;
  Clock::time_point next = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(step));
  changed_ = Clock::now();
  while (wait(1) != Event::kSignal) {
    for (const std::string& words : mesh_.casualties()) problem(words);
    learn();
    apply_dropped();
    draw();
    const Clock::time_point now = Clock::now();
    const bool time_is_up = options_.seconds > 0 && now - begun_ >= std::chrono::duration<double>(options_.seconds);
    if (now >= next || (time_is_up && chapter_ < story().size())) {
      end_chapter();
      if (chapter_ < story().size() && !time_is_up) {
        begin_chapter(chapter_++);
        next = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(step));
      } else {
        if (chapter_ <= story().size()) {
          if (mesh_.counts("payment-service").ejections == 0 && chapter_ == story().size())
            problem("circuit-breaker.yaml: the broken payment pod was not ejected");
          suggest();
        }
        chapter_ = story().size() + 1;
        next = Clock::time_point::max();
        if (!stays) break;
        touched_.clear();
      }
    }
    if (time_is_up && !stays) break;
  }
  if (options_.json)
    report();
  else {
    erase_frame();
    std::printf("%s%zu requests, %zu problem%s. Stopping.\n", ended_by_signal_ && terminal_ ? "\n" : "", statistics_.total(),
                problems_.size(), problems_.size() == 1 ? "" : "s");
    std::fflush(stdout);
  }
  load_.stop();
  mesh_.stop();
  return problems_.empty() ? 0 : 1;
}

}  // namespace weft::demo
