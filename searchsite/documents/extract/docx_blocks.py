"""DOCX: blocks on their way into the text, and what holds them: cells of tables, text boxes, notes."""

from dataclasses import dataclass, field
from typing import NamedTuple

from searchsite.documents.extract.extracted import Writer, one_line

# A cell that holds more paragraphs than this, or a heading or code with what belongs to it, is part of a layout.
MOST_IN_A_CELL = 10


class Block(NamedTuple):
    """What becomes one call of the writer. kind: "heading", "code", "list", "table" (one row), "text"."""

    text: str
    kind: str = "text"
    level: int = 0


class Blocks:
    """Blocks that are kept for later, and the kinds among them."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.kinds: set[str] = set()
        self.is_merged = False  # a cell that only continues the one above it

    def add(self, block: Block) -> None:
        self.blocks.append(block)
        self.kinds.add(block.kind)

    def take(self, other: "Blocks") -> None:
        """Add the blocks of another, which is not used any more."""
        if len(self.blocks) < len(other.blocks):  # cells may hold tables a thousand deep: the longer list is not copied
            other.blocks[:0] = self.blocks
            self.blocks = other.blocks
        else:
            self.blocks += other.blocks
        self.kinds |= other.kinds

    def is_layout(self) -> bool:
        """Whether a cell with these blocks is no value of a table but part of a page."""
        has_parts = not self.kinds.isdisjoint(("heading", "code"))
        return "table" in self.kinds or len(self.blocks) > (1 if has_parts else MOST_IN_A_CELL)

    def line(self) -> str:
        return one_line(" ".join(block.text for block in self.blocks))


@dataclass
class _Table:
    cells: list[Blocks] = field(default_factory=list)  # of the row that is being read
    rows: int = 0
    first: list[Blocks] = field(default_factory=list)  # row, kept until it is known whether it is the only one


class Output:
    """Puts blocks into what is open, the innermost first; those of the document itself are written at once."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.open = [Blocks()]  # the document, and in it cells, text boxes and notes
        self.tables: list[_Table] = []
        self.notes: list[str] = []  # to stand behind the paragraph or table that is being read
        self.code: list[str] = []  # lines of the block of code that is being written

    def take(self, blocks: Blocks) -> None:
        """Put blocks where they belong. Raises Problem("too_much_text")."""
        self.open[-1].take(blocks)
        self._write()

    def finish(self) -> None:
        """Write what is left. Raises Problem("too_much_text")."""
        self._write()
        self._write_code()

    def start_table(self) -> None:
        self.tables.append(_Table())

    def end_table(self) -> None:
        """A table ends; that of a single cell is no table but a frame. Raises Problem("too_much_text")."""
        table = self.tables.pop()
        if table.rows == 1 and len(table.first) == 1:
            self.take(table.first[0])
        elif table.rows == 1:
            self._row(table.first)
        self._write()

    def end_row(self) -> None:
        """A row ends. Raises Problem("too_much_text")."""
        if not self.tables:
            return
        table = self.tables[-1]
        row, table.cells = table.cells, []
        if table.rows == 0:
            table.first = row
        else:
            if table.rows == 1:
                self._row(table.first)
            self._row(row)
        table.rows += 1

    def start_cell(self) -> None:
        if self.tables:
            self.open.append(Blocks())

    def end_cell(self) -> None:
        if self.tables:
            cell = self.open.pop()
            if not cell.is_merged:
                self.tables[-1].cells.append(cell)

    def _row(self, cells: list[Blocks]) -> None:
        row = Blocks()
        if any(cell.is_layout() for cell in cells):
            for cell in cells:
                row.take(cell)
        else:
            row.add(Block(" | ".join(filter(None, (cell.line() for cell in cells))), "table"))
        self.take(row)

    def _write(self) -> None:
        if len(self.open) > 1:
            return
        written, self.open[0] = self.open[0], Blocks()
        for block in written.blocks:
            if block.kind == "code":
                self.code.append(block.text)
                continue
            self._write_code()
            if block.kind == "heading":
                self.writer.heading(block.level, block.text)
            else:
                self.writer.block(block.text, run=None if block.kind == "text" else block.kind)
        if self.notes and not self.tables:
            self._write_code()
            for note in self.notes:
                self.writer.block(note)
            self.notes.clear()

    def _write_code(self) -> None:
        if self.code:
            self.writer.preformatted("\n".join(self.code))
            self.code.clear()
