// The words of weftctl. Each takes its options, asks the server where it must, writes to the console and gives back the exit code.
#pragma once
#include "ctl/input_files.h"
#include "ctl/server.h"

namespace weft::ctl {

int apply(const Options& options, Server& server, const Console& console);
int get(const Options& options, Server& server, const Console& console);
int remove(const Options& options, Server& server, const Console& console);
int validate(const Options& options, Server& server, const Console& console);
int status(const Options& options, Server& server, const Console& console);
int proxy_config(const Options& options, Server& server, const Console& console);
int history(const Options& options, Server& server, const Console& console);
int diff(const Options& options, Server& server, const Console& console);
int rollback(const Options& options, Server& server, const Console& console);
int analyze(const Options& options, Server& server, const Console& console);
int route_test(const Options& options, Server& server, const Console& console);
int version(const Options& options, Server& server, const Console& console);

// For words that change the mesh: the files as a body, the answer to what was refused, and waiting for the proxies.
std::string body_of(const NamedTexts& files);
int refused(const Answer& answer, const Options& options, Server& server, const Console& console);
int wait_for_proxies(uint64_t revision, const Options& options, Server& server, const Console& console);

// Everything that weftctl is: `args` without the program's name.
int run(const std::vector<std::string>& args, const Environment& environment);

}  // namespace weft::ctl
