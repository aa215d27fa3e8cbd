# SPDX-License-Identifier: BSD-2-Clause
"""What gdb can say of a process, or of its core file, that runs with libmemhook.

    memhook owners [COUNT]    who holds how much
    memhook block ADDRESS     what an address is, from the cookie in front of it

gdb loads this with the library where it is installed; elsewhere `source` it.
Nothing is called in the process, and no symbols are needed: src/debugger.c puts
what is looked for into a section of its own.  The process may have gone wrong,
so what it says is checked before it is used.
"""
import os
import re
import struct
from collections import namedtuple

import gdb

MAGIC = b"memhook\0"
AREA_MAGIC = 0x3161726168656D6D
MASK = (1 << 64) - 1
MIX_INVERSE = 0xF1DE83E19937733D
LARGE = 1 << 43  # in w0; w1 has a mark then
LARGE_MARK = 0x517CC1B727220A95
COOKIE = 16
LIVE, FREED = 1, 2
NOBODY = 0
ACTIVE, RETIRED = 1, 2
NAMED, SITE = 1, 4
KINDS = ("", "named", "library", "thread", "call site")
MAKERS = ("malloc", "new", "new[]")
TITLES = {1: "OWNER (shared library)", 2: "OWNER (thread)", 3: "OWNER (call site)"}
NAME_WIDTH = 29
PAGE = 4096
SEARCH = 16 << 20  # bytes before an address in which its block is looked for

# src/debugger.c, then src/segment.h
Found = namedtuple("Found", "magic version bits chunk chunks_max rows objects "
                            "area secret chunks open fields zero_base zero_cookies "
                            "guard_start guard_size guard_slots guard_pages "
                            "zero_slots guard_slots_max guard_fields")
Area = namedtuple("Area", "magic version by owners_max shards_max objects_max "
                          "owners coarse base objects stride pid command "
                          "inexact inexact_bytes owners_used objects_used peak")
AREA = "Q I I I I I Q Q Q Q Q i 64s I Q I I q".split()
OWNER = "III4x8xQ96s"
OBJECT = "8xQ48x448s"
Block = namedtuple("Block", "at size row state kind align w0 w1 cookie")
Owner = namedtuple("Owner", "row name state kind where")


def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def printable(text):
    text = text.split(b"\0")[0].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)


class Process:
    """The selected inferior, as libmemhook sees it."""

    def __init__(self):
        if not gdb.selected_thread():
            raise gdb.GdbError("There is no process and no core file to look at.")
        self.found = self.find()
        self.secret = self.numbers("Q", self.found.secret)[0]
        self.area = self.missing = None
        try:
            self.area = self.find_area()
        except gdb.GdbError as e:
            self.missing = e

    def unpack(self, layout, data):
        return struct.unpack(self.order + layout, data)

    def numbers(self, layout, address):
        return self.unpack(layout, read(address, struct.calcsize("=" + layout)))

    def find(self):
        files = gdb.execute("info files", to_string=True)
        places = re.findall(r"^\s*(0x[0-9a-f]+) - 0x[0-9a-f]+ is \.memhook(?: in .*)?$",
                            files, re.MULTILINE)
        for place in places:
            try:
                found = self.read_found(int(place, 16))
                # What lost the race for malloc has no area.
                if found and self.numbers(self.pointer, found.area)[0]:
                    return found
            except gdb.MemoryError:
                pass
        if places:
            raise gdb.GdbError("libmemhook is there, but has allocated nothing yet.")
        raise gdb.GdbError("libmemhook is not in this program (or gdb does not find"
                           " the file: \"info sharedlibrary\").")

    def read_found(self, at):
        head = read(at, 16)
        self.order = "<" if struct.unpack("<I", head[8:12])[0] < 65536 else ">"
        if head[:8] != MAGIC:
            return None
        version, bits = self.unpack("II", head[8:])
        if version != 2 or bits not in (32, 64):
            raise gdb.GdbError("This libmemhook is not of the version of its gdb"
                               " commands.")
        self.pointer = "Q" if bits == 64 else "I"
        found = self.numbers("8sIIIIII" + 4 * self.pointer + "40s" + 6 * self.pointer
                             + "II8s", at)
        found = Found._make(found)
        return found._replace(fields=self.unpack("20H", found.fields),
                              guard_fields=self.unpack("4H", found.guard_fields))

    def find_area(self):
        self.at = self.numbers(self.pointer, self.found.area)[0]
        try:
            area = Area._make(self.numbers(layout, self.at + offset)[0]
                              for layout, offset in zip(AREA, self.found.fields))
        except gdb.MemoryError:
            area = None
        if not area or not area.magic:
            raise gdb.GdbError("The counters are not in this core file: bit 1 of"
                               " /proc/PID/coredump_filter was off (core(5)).")
        if area.magic != AREA_MAGIC or area.version != 1 or \
           not area.owners_used <= area.owners_max <= 1 << 20 or \
           not area.objects_used <= area.objects_max <= 1 << 16 or \
           area.shards_max > 4096 or area.stride > 1 << 28:
            raise gdb.GdbError("The counters of this process are overwritten.")
        return area

    def table(self, at, layout, count, first=0):
        """Entries of a table."""
        size = struct.calcsize("=" + layout)
        return struct.iter_unpack(self.order + layout,
                                  read(at + first * size, count * size))

    def shards(self):
        """Addresses of those that this process has made accessible."""
        found = self.found
        if not 0 < found.chunk * found.chunks_max <= 4096:
            raise gdb.GdbError("The counters of this process are overwritten.")
        chunks = self.numbers("%d%s" % (found.chunks_max, self.pointer), found.chunks)
        words = self.numbers("%dQ" % (found.chunk * found.chunks_max // 64), found.open)
        for s in range(min(self.area.shards_max, 64 * len(words))):
            if words[s // 64] >> s % 64 & 1:
                yield chunks[s // found.chunk] + s % found.chunk * self.area.stride

    def owners(self, first=0, count=None):
        if count is None:
            count = self.area.owners_used
        rows = self.table(self.at + self.area.owners, OWNER, count, first)
        return [Owner(row, printable(name), state, kind, where)
                for row, (state, _, kind, where, name) in enumerate(rows, first)]

    def owner(self, row):
        """What is known of one, or None."""
        if not self.area or row >= self.area.owners_used:
            return None
        return self.owners(row, 1)[0]

    def sums(self):
        """By row: bytes and calls of free, bytes and calls of malloc."""
        used = self.area.owners_used
        base = self.table(self.at + self.area.base, "4Q", used)
        sums = [[-n for n in row] for row in base]
        for shard in self.shards():
            for to, row in zip(sums, self.table(shard, "4Q", used)):
                if row[1] or row[3]:
                    to[:] = map(sum, zip(to, row))
        return sums

    def peaks(self):
        rows = self.table(self.at + self.area.coarse, "8xq48x", self.area.owners_used)
        return [peak for peak, in rows]

    def call_site(self, owner):
        """"function (file:line)" of a call site whose object is still there."""
        number = (owner.where >> 48) - 1
        if owner.kind != SITE or not 0 <= number < self.area.objects_used:
            return None
        bias, path = next(self.table(self.at + self.area.objects, OBJECT, 1, number))
        address = bias + (owner.where & (1 << 48) - 1) & MASK
        name = gdb.solib_name(address) or gdb.current_progspace().filename or ""
        if os.path.basename(name) != os.path.basename(printable(path)):
            return None
        return place(address - 1)

    def cookie(self, at, w0, w1, where=None):
        """The block at this address, if these two words are its cookie."""
        mix = w0 ^ w1 ^ at ^ self.secret ^ (LARGE_MARK if w0 & LARGE else 0)
        for state, mix in ((LIVE, mix), (FREED, ~mix)):
            meta = mix * MIX_INVERSE & MASK
            if not meta >> 16 and meta >> 4 & 15 == LIVE:
                break
        else:
            return None
        size = w0 & (LARGE - 1 if w0 & LARGE else 0xFFFF)
        return Block(at, size, w0 >> 44, state, meta & 15,
                     1 << (meta >> 8 & 63) if meta >> 8 & 63 else COOKIE, w0, w1,
                     where or at - COOKIE)

    def block_at(self, address):
        if address % COOKIE or address < PAGE:
            return None
        try:
            return self.cookie(address, *self.numbers("QQ", address - COOKIE))
        except gdb.MemoryError:
            return None

    def block_of_page(self, address):
        """Of pages that one block has to itself, with a place for it in a table."""
        try:
            return self.zero_block(address) or self.guarded_block(address)
        except gdb.MemoryError:
            return None

    def zero_block(self, address):
        """Of no bytes: src/zero.h."""
        base, = self.numbers(self.pointer, self.found.zero_base)
        slot = (address - base) // PAGE
        if base < PAGE or not 0 <= slot < self.found.zero_slots:
            return None
        where = self.found.zero_cookies + slot * COOKIE
        return self.cookie(base + slot * PAGE, *self.numbers("QQ", where), where)

    def guarded_block(self, address):
        """src/guard.h.  A cookie in front of the block goes with its pages."""
        start, size, slots, pages = (self.numbers(self.pointer, p)[0]
                                     for p in self.found[14:18])
        if not 0 <= address - start < size:
            return None
        number, = self.numbers("I", pages + (address - start) // PAGE * 4)
        if not 0 < number <= self.found.guard_slots_max:
            return None
        length, block, cookie, is_live = self.found.guard_fields
        slot = slots + (number - 1) * length
        at, = self.numbers(self.pointer, slot + block)
        where = slot + cookie
        if self.numbers("B", slot + is_live)[0] and at % PAGE:
            where = at - COOKIE
        return self.cookie(at, *self.numbers("QQ", where), where) if at else None

    def blocks_before(self, address):
        """Those whose cookies are readable before an address, nearest first."""
        top = address & ~(COOKIE - 1)
        end = max(address - SEARCH, PAGE)
        while top > end:
            page = (top - 1) & ~(PAGE - 1)
            try:
                words = struct.iter_unpack(self.order + "QQ", read(page, top - page))
            except gdb.MemoryError:
                return
            for i, (w0, w1) in reversed(list(enumerate(words))):
                block = self.cookie(page + (i + 1) * COOKIE, w0, w1)
                if block:
                    yield block
            top = page


def place(address):
    """"function (file:line)", or as much of it as gdb knows."""
    try:
        block = gdb.block_for_pc(address)
    except RuntimeError:
        block = None
    while block and not block.function:
        block = block.superblock
    line = gdb.find_pc_line(address)
    if block:
        name = block.function.print_name
        if line.symtab:
            name += " (%s:%d)" % (os.path.basename(line.symtab.filename), line.line)
        return name
    symbol = re.match(r"(.*?) in section ",
                      gdb.execute("info symbol 0x%x" % address, to_string=True))
    return symbol and symbol.group(1)


def evaluate(expression):
    """The number that an expression is, or where it lies."""
    value = gdb.parse_and_eval(expression)
    if value.type.strip_typedefs().code in (gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_INT):
        return int(value)
    if value.address is None:
        raise gdb.error("neither a number nor a pointer.")
    return int(value.address)


def human(n):
    units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    u = 0
    while n >> 10 * u >= 1024 and u < 6:
        u += 1
    if not u:
        return "%d B" % n
    return "%d.%d %s" % (n >> 10 * u, (n >> 10 * (u - 1) & 1023) * 10 // 1024, units[u])


def line(name, live, blocks, peak, calls):
    if len(name) > NAME_WIDTH:
        name = name[:NAME_WIDTH - NAME_WIDTH // 2 - 2] + ".." + name[-(NAME_WIDTH // 2):]
    print("%-*s%11s%10s%11s%14s" % (NAME_WIDTH, name, live, blocks, peak, calls))


class MemhookCommand(gdb.Command):
    """What libmemhook knows of this process, or core file."""

    def __init__(self):
        super().__init__("memhook", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


class OwnersCommand(gdb.Command):
    """Show who holds how much memory, the greatest first.
Usage: memhook owners [COUNT]

COUNT is the number of owners to show; all of them if it is left out.
LIVE and BLOCKS are what was allocated and not yet freed, in bytes that the
program asked for.  A thread that was stopped inside of malloc or free may
have counted its last block, or not."""

    def __init__(self):
        super().__init__("memhook owners", gdb.COMMAND_DATA)

    def invoke(self, argument, _from_tty):
        if argument and not re.fullmatch(r"[0-9]+", argument.strip()):
            raise gdb.GdbError("usage: memhook owners [COUNT]")
        process = Process()
        if not process.area:
            raise process.missing
        try:
            self.show(process, int(argument) if argument else None)
        except gdb.MemoryError:
            raise gdb.GdbError("The counters of this process cannot be read.") from None

    @staticmethod
    def worth_showing(owner, blocks, calls):
        """As the reports do (src/stats.h)."""
        return (blocks or owner.row == NOBODY
                or owner.state == ACTIVE and (calls or owner.kind == NAMED))

    def show(self, process, count):
        area = process.area
        print("memhook: %s (pid %d)" % (printable(area.command), area.pid))
        if area.inexact:
            print("Not exact: forked while other threads ran"
                  + (", off by at most %s." % human(area.inexact_bytes)
                     if area.inexact_bytes else ", or without fork handlers."))
        rows = []
        for owner, sums, peak in zip(process.owners(), process.sums(), process.peaks()):
            live = max(sums[2] - sums[0], 0), max(sums[3] - sums[1], 0)
            rows.append((owner, *live, max(peak, live[0]), sums[3]))
        shown = [r for r in rows if self.worth_showing(r[0], r[2], r[4])]
        shown.sort(key=lambda r: (-r[1], r[0].row))
        print()
        line(TITLES.get(area.by, "OWNER"), "LIVE", "BLOCKS", "PEAK", "ALLOCATIONS")
        for owner, live, blocks, peak, calls in shown[:count]:
            name = process.call_site(owner) or owner.name
            name += " (retired)" if owner.state == RETIRED else ""
            line(name, human(live), f"{blocks:,}", human(peak), f"{calls:,}")
        live, blocks, calls = (sum(r[i] for r in rows) for i in (1, 2, 4))
        line("total", human(live), f"{blocks:,}", human(max(area.peak, live)),
             f"{calls:,}")


class BlockCommand(gdb.Command):
    """Show what an address is: a block of the heap, live or freed, and whose.
Usage: memhook block ADDRESS

ADDRESS is any expression.  One inside of a block, or less than a page behind
its end, is traced to that block if its cookie is within 16 MiB before it.
Blocks of no bytes and guarded ones are found from anywhere in their pages.
A freed block is known as one until its memory serves again."""

    def __init__(self):
        super().__init__("memhook block", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, _from_tty):
        if not argument.strip():
            raise gdb.GdbError("usage: memhook block ADDRESS")
        process = Process()
        bits = process.found.bits
        try:
            address = evaluate(argument) & (1 << bits) - 1
        except gdb.error as e:
            raise gdb.GdbError("%s is no address: %s" % (argument.strip(), e)) from None
        block = process.block_of_page(address) or process.block_at(address) or \
            self.around(process, address)
        self.say(address, block)
        if block:
            self.show(process, block)

    @staticmethod
    def around(process, address):
        """Blocks do not overlap: the nearest live one decides."""
        freed = None
        for block in process.blocks_before(address):
            behind = address - block.at - block.size
            if block.state == LIVE:
                if behind < 0 or not freed and behind < PAGE:
                    return block
                break
            if behind < 0 and not freed:
                freed = block
        return freed

    @staticmethod
    def say(address, block):
        state = "live" if block and block.state == LIVE else "freed"
        if not block:
            print("0x%x is not in a block of memhook." % address)
        elif address == block.at:
            print("0x%x is a %s block." % (address, state))
        elif address < block.at:
            print("0x%x is %d bytes before the %s block 0x%x."
                  % (address, block.at - address, state, block.at))
        elif address < block.at + block.size:
            print("0x%x is %d bytes into the %s block 0x%x."
                  % (address, address - block.at, state, block.at))
        else:
            print("0x%x is %d bytes behind the end of the %s block 0x%x."
                  % (address, address - block.at - block.size, state, block.at))

    @staticmethod
    def show(process, block):
        owner = process.owner(block.row)
        if owner:
            kind = KINDS[owner.kind] if owner.kind < len(KINDS) else "?"
            name = owner.name + (" (%s)" % kind if kind else "")
            site = process.call_site(owner)
        else:
            name, site = "number %d (its name is not there)" % block.row, None
        print("  size       %d" % block.size)
        print("  owner      %s" % name)
        if site:
            print("  called in  %s" % site)
        print("  made by    %s, aligned to %d"
              % (MAKERS[block.kind] if block.kind < len(MAKERS) else "?", block.align))
        print("  cookie     0x%x: 0x%016x 0x%016x"
              % (block.cookie, block.w0, block.w1))


MemhookCommand()
OwnersCommand()
BlockCommand()
