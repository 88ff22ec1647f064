#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the flags that a C file is compiled with, as libclang can use them: one argument a line.

Taken from the compilation database: the target's macros and ABI flags, and every folder that the C compiler looks for headers in,
which it is asked for, since some come from its specs and not from the command line. GCC's own folder comes last: clang brings its
own stdint.h and the like, and GCC's intrinsics are not for it.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

# Flags that change what a header declares. Others are the code generator's, and clang may not know them: -mfpu=auto, or a CPU that is
# younger than itself. The target says all that counts of the CPU.
SINGLE = re.compile(r"-D.+|-U.+|-std=.*|-m(32|64|thumb|float-abi=.*)|-f(no-)?short-enums|-f(un)?signed-char|"
                    r"-ffreestanding|--sysroot=.*")
WITH_VALUE = {"-D", "-U", "-include", "-imacros", "--sysroot"}


def clang_target(rust_target):
    """The triple as clang knows it: without RISC-V extensions, which change no layout."""
    return re.sub(r"^riscv(32|64)[a-z]*-", r"riscv\1-", rust_target)


def split(command):
    """The words of a command line of the compilation database."""
    if os.name != "nt":
        return shlex.split(command)
    return [word.strip('"') for word in shlex.split(command, posix=False)]


def command_of(database, source):
    """The command that compiles `source`, without its input and output."""
    for entry in database:
        if Path(entry["file"]) == source:
            words = entry.get("arguments") or split(entry["command"])
            drop = {"-c", "-o", entry["file"], entry.get("output"), words[words.index("-o") + 1]}
            return [word for word in words if word not in drop]
    sys.exit(f"mender-mcu: the compilation database has no command for {source}")


def folders(command):
    """Where the compiler looks for headers, in order."""
    command = command + ["-E", "-v", "-x", "c", os.devnull]
    told = subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False)
    if told.returncode != 0:
        sys.exit(f"mender-mcu: {shlex.join(command)}:\n{told.stderr}")
    listed = told.stderr.partition("#include <...> search starts here:\n")[2].partition("End of search list.")[0]
    quoted = told.stderr.partition('#include "..." search starts here:\n')[2].partition("#include <...>")[0]
    return [os.path.realpath(line.strip()) for line in (quoted + listed).splitlines()]


def own_folders(command):
    """The compiler's own headers, in order."""
    answers = [subprocess.run(command + [f"-print-file-name={name}"], capture_output=True, text=True, check=False).stdout.strip()
               for name in ("include", "include-fixed")]
    return [os.path.realpath(answer) for answer in answers if os.path.isabs(answer)]


def flags(command, target):
    """Those of the command's flags that change a header."""
    out = [f"--target={clang_target(target)}"]
    words = iter(command)
    for word in words:
        if word in WITH_VALUE:
            out += [word, next(words)]
        elif SINGLE.fullmatch(word):
            out.append(word)
    return out


def arguments(command, target):
    """All that libclang is to be told."""
    own = own_folders(command)
    out = [*flags(command, target), "-nostdlibinc"]
    for folder in folders(command):
        if folder not in own:
            out += ["-isystem", folder]
    for folder in own:
        out += ["-idirafter", folder]
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--database", type=Path, required=True, help="compile_commands.json")
    parser.add_argument("--source", type=Path, required=True, help="the C file")
    parser.add_argument("--target", required=True, help="Rust's name of the target")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    database = json.loads(args.database.read_text(encoding="utf-8"))
    text = "\n".join(arguments(command_of(database, args.source), args.target)) + "\n"
    # A file that stays as it is builds nothing anew.
    if not args.out.exists() or args.out.read_text(encoding="utf-8") != text:
        args.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
