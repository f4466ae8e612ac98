"""Sends every case to a real Envoy and to weft-proxy and holds the outcomes against each other and against docs/differences.md.

A difference that is not in the table fails, and so does a row whose difference is gone. Nothing is stored: both run now.
WEFT_SIDE_BY_SIDE=envoy puts a second Envoy in weft-proxy's place, which proves the comparer: then nothing may differ at all.
Arguments are names of cases (a star at the end is allowed) to run only these and print their outcomes.
"""
import concurrent.futures
import os
import re
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(os.path.dirname(os.path.dirname(HERE)), "integration")]

# pylint: disable=wrong-import-position
from meshtest.data_plane import DataPlane, ROOT
from meshtest.h2peer import Http2Upstream
from meshtest.upstream import Upstream, refused_address
from side_by_side import cases_choices, cases_detours, cases_filters, cases_framing, cases_headers, cases_leftovers, cases_resilience, cases_routing, cases_spellings, cases_tunnels  # noqa: F401  (they fill CASES)
from side_by_side.case import CASES
from side_by_side.outcome import access_log, add_log, differences, run_case
from side_by_side.table import listed, read_table

TABLE = os.path.join(ROOT, "docs", "differences.md")
RIGHT = os.environ.get("WEFT_SIDE_BY_SIDE", "weft")
AT_ONCE = 24


class World:
    """The upstreams that both proxies stand before, one proxy after the other, and the outcomes of each."""

    def __init__(self):
        self.a, self.b, self.authority, self.h2 = Upstream("a"), Upstream("b"), Upstream("authority"), Http2Upstream("h2")
        self.dead, self._keeper = refused_address()
        for case in CASES:
            for path, replies in case.script.items():
                self.a.on(path, *replies)
            for path, replies in case.authority.items():
                self.authority.on(path, *replies)

    def bootstrap(self):
        ports = {"a": self.a.port, "b": self.b.port, "authority": self.authority.port, "h2": self.h2.address[1], "dead": self.dead[1]}
        with open(os.path.join(HERE, "bootstrap.yaml"), encoding="utf-8") as file:
            return re.sub(r"\$\{(\w+)\}", lambda match: str(ports[match.group(1)]), file.read())

    def play(self, kind, cases):
        """All cases against one proxy: (case name -> aspects, names of cases whose hidden request got through)."""
        for upstream in (self.a, self.b, self.authority):
            upstream.forget()
        flags = ("--file-flush-interval-msec", "50") if kind == "envoy" else ()
        with DataPlane(self.bootstrap(), kind=kind, flags=flags) as proxy:
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                outcomes = dict(zip([case.name for case in cases], pool.map(lambda case: run_case(case, proxy), cases)))
            proxy.program.require_alive()
        lines = access_log(proxy.program.output())
        for case in cases:
            add_log(case, outcomes[case.name], lines)
        arrived = {seen.path.rsplit("/", 1)[1] for seen in self.a.requests() if seen.path.startswith("/smuggled/")}
        return outcomes, arrived - {case.name for case in cases if case.follows}

    def close(self):
        for upstream in (self.a, self.b, self.authority, self.h2):
            upstream.close()
        self._keeper.close()


class SideBySide(unittest.TestCase):
    """One test per claim about the whole run."""

    @classmethod
    def setUpClass(cls):
        world = World()
        try:
            cls.left, cls.left_smuggled = world.play("envoy", CASES)
            cls.right, cls.right_smuggled = world.play(RIGHT, CASES)
            cls.rows = read_table(TABLE) if RIGHT == "weft" else []
            # What differs must differ twice: on a busy machine either proxy may see a message in two pieces.
            doubtful = [case for case in CASES if case.name in {name for name, *_ in cls.unknown()}]
            if doubtful:
                cls.left.update(world.play("envoy", doubtful)[0])
                cls.right.update(world.play(RIGHT, doubtful)[0])
        finally:
            world.close()

    @classmethod
    def found(cls):
        """(case, aspect, Envoy's, ours) of every difference."""
        for case in CASES:
            found = differences(cls.left[case.name], cls.right[case.name], case.well_formed)
            for aspect, (left, right) in sorted(found.items()):
                yield case.name, aspect, left, right

    @classmethod
    def unknown(cls):
        """Those that stand in no row of the table."""
        return [item for item in cls.found() if not any(row.covers(item[0], item[1]) for row in cls.rows)]

    def test_differences_are_those_in_the_table(self):
        unknown = self.unknown()
        if unknown:
            cases = len({case for case, *_ in unknown})
            self.fail(f"{len(unknown)} differences in {cases} of {len(CASES)} cases are not in {TABLE}:\n{_report(unknown)}")

    def test_rows_of_the_table_still_hold(self):
        found = list(self.found())
        for row in self.rows:
            for case in row.cases:
                for aspect in row.aspects:
                    single = type(row)([case], [aspect], row.line)
                    with self.subTest(case=case, aspect=aspect):
                        self.assertTrue(any(single.covers(item[0], item[1]) for item in found),
                                        f"{TABLE}:{row.line}: nothing differs in `{aspect}` of `{case}` any more; strike it")

    def test_nothing_is_smuggled(self):
        self.assertEqual(set(), self.right_smuggled if RIGHT == "weft" else set(), "hidden requests reached the upstream")

    def test_most_cases_agree_in_full(self):
        self.assertGreater(len(CASES), 40)
        agreeing = len(CASES) - len({case for case, *_ in self.found()})
        print(f"\n{agreeing} of {len(CASES)} cases agree in every aspect")
        self.assertGreaterEqual(agreeing, 40)


def _short(value):
    text = repr(value)
    return text if len(text) < 300 else f"{text[:300]}... ({len(text)} letters)"


def _report(items):
    """The differences by case; where the status differs, the rest follows from it and is left out."""
    by_case = {}
    for case, aspect, left, right in items:
        by_case.setdefault(case, {})[aspect] = (left, right)
    lines = []
    for case, aspects in by_case.items():
        chosen = [name for name in ("status", "end", "log details") if name in aspects] if "status" in aspects else list(aspects)
        lines += [f"  {case}: {aspect}: Envoy {_short(aspects[aspect][0])}, {RIGHT} {_short(aspects[aspect][1])}" for aspect in chosen]
    return "\n".join(lines)


def show(names):
    """Prints the outcomes of some cases on both sides."""
    chosen = [case for case in CASES if listed(case.name, names)]
    world = World()
    try:
        for kind in ("envoy", RIGHT) if RIGHT != "envoy" else ("envoy",):
            outcomes, smuggled = world.play(kind, chosen)
            for name, aspects in outcomes.items():
                print(f"== {kind}: {name}{' SMUGGLED' if name in smuggled else ''}")
                for aspect in sorted(aspects):
                    print(f"   {aspect}: {_short(aspects[aspect])}")
    finally:
        world.close()


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        show(sys.argv[1:])
    else:
        unittest.main()
