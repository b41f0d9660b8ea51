"""How every command starts and ends: Ctrl-C is one line and status 130, a closed pipe a quiet end and
status 141, a full disk one line and status 1, and printing works in any locale.
"""

import _thread
import errno
import os
import signal
import sys
import threading

INTERRUPTED, PIPE_CLOSED = 128 + 2, 128 + 13  # as shells report a process ended by SIGINT, SIGPIPE


def _leave(number, frame):
    """Ctrl-C while nothing but imports has happened, where an exception could be lost or wrapped."""
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


def come_again(unraisable):
    """A hook for sys.unraisablehook: a Ctrl-C that comes where nothing can be raised, say in a callback of
    numba's compiler, comes again a little later.
    """
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        again = threading.Timer(0.05, _thread.interrupt_main)
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(unraisable)


def guard():
    """Ctrl-C ends this process with one line until `run` has loaded the command: the first thing a script
    does.
    """
    # Not in a background job, which ignores it
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def _drop_output():
    """What is not written yet, and what comes, goes nowhere: the flush at exit shall not fail again."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(load):
    """The exit status of a command. load() checks the command line, imports what the command needs and
    returns the command, a function that returns the status.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # in an ASCII locale too
    guard()
    try:
        try:
            command = load()
            if signal.getsignal(signal.SIGINT) is _leave:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                sys.unraisablehook = come_again
            return command()
        finally:
            print(end="", flush=True)  # nothing where there is no stdout
    except BrokenPipeError:
        _drop_output()
        return PIPE_CLOSED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _drop_output()
        print(f"cannot go on: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        terminal = sys.stderr is not None and sys.stderr.isatty()
        print(("\r\x1b[2K" if terminal else "") + (str(error) or "interrupted"), file=sys.stderr)
        return INTERRUPTED
