//! The `brickwork` command, for whoever starts it: a program, or Python.
//!
//! What other languages need of it is here, too: verbs [by name](ask), asked and answered as JSON, told in the
//! command's words, and what they [say of themselves](verbs()), of which signatures of functions are made.

mod args;
mod ask;
#[cfg(feature = "box")]
mod box_args;
mod boxes;
mod caching;
mod cmd;
mod command;
mod hints;
mod interrupt;
mod line;
mod options;
mod print;
mod progress;
pub mod schema;
mod shared;
mod shown;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::bail;
use clap::FromArgMatches;

use crate::args::{About, Cli, Command, Global};
use crate::line::{typed, whole};
use crate::print::Out;

pub use ask::{Answered, Described, ask, verbs};
pub use boxes::UserBox;
pub use caching::asked_cache;
pub use shared::{finish, partial};

/// Does what `args` say, the first of which is the name of the program, and gives the code to end with. Ends the
/// process itself where they cannot be understood, or ask for help.
pub fn main(args: impl IntoIterator<Item = OsString>) -> u8 {
    let matches = whole().get_matches_from(args);
    let global = Global::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // A signal in the middle of a write must not leave a half-written file behind.
    let _ = ctrlc::set_handler(interrupt::signal);
    // This thread is one of the pool, so that short work need not wake another.
    let pool = rayon::ThreadPoolBuilder::new().use_current_thread();
    let _ = pool.num_threads(global.threads.unwrap_or(0)).build_global();
    let out = Out::new(&global);
    match run(&matches, &global, &out) {
        Ok(code) => u8::from(code != ExitCode::SUCCESS),
        Err(error) => {
            out.error(&error);
            if interrupt::stopped(&error) { 130 } else { 1 }
        }
    }
}

/// Runs what was typed.
fn run(matches: &clap::ArgMatches, global: &Global, out: &Out) -> anyhow::Result<ExitCode> {
    if let Some((entry, options)) = typed(matches) {
        return (entry.run)(options, global, out);
    }
    if global.report.is_some() {
        bail!("--report is a page of an answer, which this command does not give; leave it out");
    }
    if let Ok(asked) = About::from_arg_matches(matches) {
        cmd::about::run(&asked, out)?;
        return Ok(ExitCode::SUCCESS);
    }
    match Cli::from_arg_matches(matches)?.command {
        Command::Cache(args) => cmd::cache::run(&args, global, out).map(|()| ExitCode::SUCCESS),
        Command::Demo(args) => cmd::demo::run(&args, global, out).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "box")]
        Command::Box(args) => cmd::store::run(&args, global, out),
        #[cfg(feature = "studio")]
        Command::Studio(args) => cmd::studio::run(&args, global, out).map(|()| ExitCode::SUCCESS),
    }
}
