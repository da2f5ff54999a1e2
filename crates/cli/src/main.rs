//! The `brickwork` command.

mod args;
mod cmd;
mod command;
mod hints;
mod inputs;
mod interrupt;
mod options;
mod print;
mod progress;
mod training;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::args::{Cli, Command, Global};
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

/// The command line with all its commands.
fn whole() -> clap::Command {
    Cli::command().subcommands(cmd::ALL.iter().map(|entry| (entry.command)()))
}

/// Runs what was typed.
fn run(matches: &clap::ArgMatches, global: &Global, out: &Out) -> anyhow::Result<ExitCode> {
    let typed = matches.subcommand().and_then(|(name, typed)| Some((cmd::find(name)?, typed)));
    match typed {
        Some((entry, typed)) => (entry.run)(typed, global, out),
        None => run_other(&Cli::from_arg_matches(matches)?, out),
    }
}

/// Runs one command.
fn run_other(cli: &Cli, out: &Out) -> anyhow::Result<ExitCode> {
    match &cli.command {
        Command::Assemble(args) => cmd::assemble::run(args, &cli.global, out),
        Command::Calibrate(args) => cmd::calibrate::run(args, &cli.global, out),
        Command::Demo(args) => cmd::demo::run(args, &cli.global, out),
        Command::Probe(args) => cmd::probe::run(args, &cli.global, out),
        Command::Refit(args) => cmd::refit::run(args, &cli.global, out),
        Command::Reject(args) => cmd::reject::run(args, out),
        Command::Train(args) => cmd::train::run(args, &cli.global, out),
        Command::Finetune(args) => cmd::finetune::run(args, &cli.global, out),
        Command::Distill(args) => cmd::distill::run(args, &cli.global, out),
        Command::Gcn(args) => cmd::gcn::run(args, &cli.global, out),
    }?;
    Ok(ExitCode::SUCCESS)
}
