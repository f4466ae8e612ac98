// The demo as it is told: one chapter after another, a table each second, a line for each change, the user's own files in between,
// and a report at the end. Runs on the main thread.
#pragma once
#include "demo/expectation.h"
#include "demo/load.h"
#include "demo/mesh.h"
#include "demo/story.h"
#include "demo/table.h"

#include <boost/json/array.hpp>
#include <set>

namespace weft::demo {

// Whether a measured share is what chance allows for the asked one: four standard deviations, and two points for what was under way.
bool plausible(double asked_percent, double measured_percent, size_t samples);

class Show {
 public:
  Show(const Options& options, RunFolder& folder);

  // Returns the exit code: 0, or 1 when something was not as it should be.
  int run();

 private:
  enum class Event { kTick, kSignal };

  bool begin_chapter(size_t number);
  void end_chapter();
  void apply_dropped();
  void learn();  // what is in force, from weft-control: weftctl may have changed it
  std::vector<Row> rows(Clock::time_point since, Clock::time_point now) const;
  void draw();
  void erase_frame();
  void say(const std::string& line);  // a line that stays
  void problem(const std::string& line);
  void introduce();
  void suggest();
  void report();
  Event wait(double seconds);
  bool wait_for_listener(const Address& address);

  const Options& options_;
  RunFolder& folder_;
  Mesh mesh_;
  World world_;
  std::vector<Lane> lanes_;
  Statistics statistics_;
  LoadGenerator load_;

  bool terminal_ = false, ended_by_signal_ = false;
  Style style_;
  size_t frame_lines_ = 0;
  Clock::time_point begun_, changed_;
  size_t chapter_ = 0;
  bool in_chapter_ = false;
  std::vector<std::string> touched_;  // routes of the last change
  std::string last_what_, last_why_;
  std::map<std::string, long long> dropped_;  // file -> modification time when taken
  boost::json::array chapters_, problems_;
};

}  // namespace weft::demo
