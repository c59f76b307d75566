# SPDX-License-Identifier: MIT
"""gdb commands for programs that use weft, live or as a core file:

    info goroutines          all goroutines: number, state, thread, where they are, what they run
    goroutine N COMMAND      a command in goroutine N: goroutine 5 bt
    goroutine all COMMAND    in each of them

weft must have been compiled with -g. A goroutine that does not run has its context in its record.
Nothing of the process is changed for it, so core files serve as well: an unwinder presents the
context as what called the innermost frame of the thread at hand, and that frame is left out.
Take the kernel's core files: gdb's generate-core-file leaves out memory around guard pages.
"""

import gdb
import gdb.unwinder

STATES = {0: "dead", 1: "runnable", 2: "running", 3: "in a call", 4: "waiting"}

# Registers that a context has, by the field in struct saved_context.
REGISTERS = {
    "i386:x86-64": {"pc": "rip", "sp": "rsp", "fp": "rbp"},
    "aarch64": {"pc": "pc", "sp": "sp", "fp": "x29"},
}


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class ParkedUnwinder(gdb.unwinder.Unwinder):
    """What lies behind frame 0 is the context of `goroutine`, if there is one."""

    def __init__(self):
        super().__init__("weft-parked")
        self.context = None

    def __call__(self, pending):
        if self.context is None or pending.level() != 0:
            return None
        names = REGISTERS[pending.architecture().name()]
        values = {}
        for field, name in names.items():
            kind = pending.read_register(name).type
            values[field] = gdb.Value(int(self.context[field])).cast(kind)
        # Below the context's own stack pointer: gdb wants inner frames at lower addresses.
        info = pending.create_unwind_info(FrameId(values["sp"] - 16, pending.read_register(names["pc"])))
        for field, name in names.items():
            info.add_saved_register(name, values[field])
        return info


unwinder = ParkedUnwinder()
gdb.unwinder.register_unwinder(None, unwinder, True)


def goroutines():
    """The records of all goroutines that are alive and not weft's own, by number."""
    try:
        g = gdb.parse_and_eval("'goroutine.c'::pool.all")
    except gdb.error as error:
        raise gdb.GdbError("weft's records cannot be found (no debug information?): %s" % error)
    found = []
    while g != 0:
        if int(g["status"]) != 0 and not bool(g["system"]):
            found.append(g)
        g = g["all_next"]
    return sorted(found, key=number)


def number(g):
    return int(g["trace"]["id"])


def state(g):
    status = int(g["status"])
    if status != 4:
        return STATES.get(status, "?")
    return gdb.parse_and_eval("wire_block_texts")[int(g["wait_reason"])].string()


def thread_of(g):
    """gdb's thread on which it runs, or sleeps if it cannot run elsewhere; None if there is none."""
    m = g["bound"]
    if m == 0 and int(g["status"]) in (2, 3):
        m = g["m"]
    if m == 0:
        return None
    for thread in gdb.selected_inferior().threads():
        if thread.ptid[1] == int(m["trace"]["tid"]):
            return thread
    return None


def function_at(pc):
    block = gdb.block_for_pc(int(pc)) if int(pc) else None
    while block is not None and block.function is None:
        block = block.superblock
    return str(block.function) if block is not None else "?"


class InfoGoroutines(gdb.Command):
    """All goroutines: number, state, thread, the function of weft that they are in, their own function."""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for g in goroutines():
            thread = thread_of(g)
            where = "thread %d" % thread.num if thread else "-"
            print("%6d  %-16s %-10s %s  of %s" % (
                number(g), state(g), where, function_at(g["api_pc"]), function_at(int(g["fn"]))))


def run_on_thread(thread, command):
    before = gdb.selected_thread()
    thread.switch()
    try:
        gdb.execute(command)
    finally:
        before.switch()


def without_frame_0(text):
    """The first frame is the thread's own."""
    at = text.find("#1 ")
    return text[at:] if text.startswith("#0 ") and at >= 0 else text


def run_parked(g, command):
    unwinder.context = g["saved"]
    gdb.invalidate_cached_frames()
    try:
        frame = gdb.newest_frame().older()
        if frame is not None:
            frame.select()
        gdb.write(without_frame_0(gdb.execute(command, to_string=True)))
    finally:
        unwinder.context = None
        gdb.invalidate_cached_frames()
        gdb.newest_frame().select()


def run_in(g, command):
    thread = thread_of(g)
    if thread is not None:
        run_on_thread(thread, command)
    elif int(g["status"]) in (1, 4):
        run_parked(g, command)
    else:
        raise gdb.GdbError("goroutine %d runs, but on no thread that gdb knows" % number(g))


class Goroutine(gdb.Command):
    """goroutine N|all COMMAND: runs a command of gdb, bt for one, in a goroutine."""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        which, _, command = argument.strip().partition(" ")
        if not which or not command:
            raise gdb.GdbError("usage: goroutine N|all COMMAND")
        chosen = [g for g in goroutines() if which == "all" or str(number(g)) == which]
        if not chosen:
            raise gdb.GdbError("there is no goroutine %s" % which)
        for g in chosen:
            if which == "all":
                print("goroutine %d [%s]:" % (number(g), state(g)))
            run_in(g, command)


InfoGoroutines()
Goroutine()
