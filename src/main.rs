//! The `levada` binary: arguments and exit codes.

fn main() {}
