//! The `heddle` command.

use std::process::ExitCode;

use clap::Parser;
use heddle::cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::start(cli::Args::parse())
}
