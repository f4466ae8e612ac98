"""D11: what a proxy adds to the time of a request that arrives by chance: 1000 per second, gaps drawn from the exponential distribution, 16
connections. Each round asks the backend itself and then through every subject, with the same gaps; what is added is the difference."""
import statistics
import sys

import loads

RATE, CONNECTIONS = 1000, 16
QUANTILES = ("p50", "p90", "p99")


def run(bench, out):
    options = bench.options
    chosen, absent = bench.subjects("h1", "h1")
    busy = bench.wait_for_calm()
    program = bench.compile("poisson", "-lm")
    backend_port = bench.start_backend("h1", 128)
    ports = [("direct", backend_port)] + [(subject.name, bench.start(subject, backend_port, "h1", "h1")[1]) for subject in chosen]
    rows = {name: [] for name, _ in ports}
    for round_number in range(options.rounds + 1):
        turn = round_number % len(ports)
        for name, port in ports[turn:] + ports[:turn]:
            _, *quantiles = loads.poisson(program, port, RATE, options.seconds, CONNECTIONS, round_number + 1)
            if round_number > 0:
                rows[name].append(quantiles)
        print(f"round {round_number} of {options.rounds}" + (" (warm-up)" if round_number == 0 else ""), file=sys.stderr, flush=True)
    bench.stop_all()
    out(f"HTTP/1.1, 128 B answers, {RATE} requests per second at times drawn by chance (Poisson), {CONNECTIONS} connections")
    out(f"{options.rounds} rounds of {options.seconds} s each in turn after one to warm up; microseconds, from when the request was due")
    out("added: median over the rounds of the difference to the backend asked directly (min..max)")
    out("")
    out(f"{'':22} " + " ".join(f"{'added ' + name:>10} {'min..max':>13}" for name in QUANTILES) + f" {'p50 itself':>11}")
    added = {}
    for subject in chosen:
        differences = [[mine - theirs for mine, theirs in zip(own, direct)] for own, direct in zip(rows[subject.name], rows["direct"])]
        added[subject.name] = list(zip(*differences))
        out(f"{(subject.name + ' ' + subject.version).strip():22} "
            + " ".join(f"{statistics.median(column):10.0f} {min(column):6.0f}..{max(column):5.0f}" for column in added[subject.name])
            + f" {statistics.median(own[0] for own in rows[subject.name]):11.0f}")
    out(f"{'(the backend itself)':22} " + " ".join(f"{statistics.median(column):10.0f} {'':13}" for column in zip(*rows["direct"])))
    out("")
    if "weft-proxy" in added:
        for name, columns in added.items():
            if name != "weft-proxy":
                ratios = [statistics.median(mine) / statistics.median(theirs) for mine, theirs in zip(added["weft-proxy"], columns)]
                out(f"weft-proxy adds {ratios[0]:.2f} (p50) and {ratios[1]:.2f} (p90) of what {name} adds")
    for name in absent:
        out(f"{name}: not installed here, not measured")
    return bench.judge_noise("floor", [own[0] for own in rows["floor"]], busy, out, "p50 of the floor")
