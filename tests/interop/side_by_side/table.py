"""docs/differences.md as data: the one list of what weft-proxy does otherwise than Envoy, and why."""
import dataclasses
import re

_CODE = re.compile(r"`([^`]+)`")


@dataclasses.dataclass
class Row:
    """One row: these aspects of these cases differ. `cases` may hold patterns with a star at the end."""
    cases: list
    aspects: list
    line: int

    def covers(self, case, aspect):
        return listed(case, self.cases) and listed(aspect, self.aspects)


def listed(name, patterns):
    """Whether a name is among these, of which some may end in a star."""
    return any(name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1])) for pattern in patterns)


def read_table(path):
    """The rows under the heading `## Request by request`: | cases | what differs | Envoy | Weft | reason |."""
    rows, inside = [], False
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.startswith("## "):
                inside = line.strip() == "## Request by request"
            if not inside or not line.startswith("| `"):
                continue
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if len(cells) != 5 or not all(cells):
                raise ValueError(f"{path}:{number}: a row has five filled cells, this one: {cells}")
            rows.append(Row(_CODE.findall(cells[0]), _CODE.findall(cells[1]), number))
    return rows
