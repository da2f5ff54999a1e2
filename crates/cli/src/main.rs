//! The `brickwork` command.

mod args;
mod cmd;
mod command;
mod hints;
mod interrupt;
mod line;
mod options;
mod print;
mod progress;
mod shown;

use std::process::ExitCode;

use clap::FromArgMatches;

use crate::args::{About, Cli, Command, Global};
use crate::line::{typed, whole};
use crate::print::Out;

fn main() -> ExitCode {
    let matches = whole().get_matches();
    let global = Global::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // A signal in the middle of a write must not leave a half-written file behind.
    let _ = ctrlc::set_handler(interrupt::signal);
    // This thread is one of the pool, so that short work need not wake another.
    let pool = rayon::ThreadPoolBuilder::new().use_current_thread();
    let _ = pool.num_threads(global.threads.unwrap_or(0)).build_global();
    let out = Out::new(&global);
    match run(&matches, &global, &out) {
        Ok(code) => code,
        Err(error) => {
            out.error(&error);
            ExitCode::from(if interrupt::stopped(&error) { 130 } else { 1 })
        }
    }
}

/// Runs what was typed.
fn run(matches: &clap::ArgMatches, global: &Global, out: &Out) -> anyhow::Result<ExitCode> {
    if let Some((entry, options)) = typed(matches) {
        return (entry.run)(options, global, out);
    }
    if let Ok(asked) = About::from_arg_matches(matches) {
        cmd::about::run(&asked, out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Command::Demo(args) = Cli::from_arg_matches(matches)?.command;
    cmd::demo::run(&args, global, out)?;
    Ok(ExitCode::SUCCESS)
}
