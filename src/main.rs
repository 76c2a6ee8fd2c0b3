//! The `levada` binary: arguments and exit codes.

use std::process::ExitCode;

use clap::Parser;
use levada::command::{self, Arguments};

// glibc's allocator keeps much of what a burst of viewers needed; this one gives it back, and costs less per call.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command::run(Arguments::parse())
}
