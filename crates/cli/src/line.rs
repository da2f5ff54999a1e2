//! The command line: all commands, and which of them was typed.

use clap::{ArgMatches, CommandFactory, Subcommand};

use crate::args::{About, Cli};
use crate::cmd;
use crate::command::Entry;

/// The command line with all its commands; those of two words are below their first.
pub(crate) fn whole() -> clap::Command {
    let add = |whole: clap::Command, entry: &Entry| {
        let command = (entry.command)();
        let Some((group, _)) = entry.name().split_once(' ') else {
            return whole.subcommand(command);
        };
        let known = whole.find_subcommand(group).is_some();
        let whole = if known { whole } else { whole.subcommand(cmd::gcn::group()) };
        whole.mut_subcommand(group, |group| group.subcommand(command))
    };
    About::augment_subcommands(cmd::ALL.iter().fold(Cli::command(), add))
}

/// The verb that was typed, with its options; none if it was another command.
pub(crate) fn typed(matches: &ArgMatches) -> Option<(&'static Entry, &ArgMatches)> {
    let (name, below) = matches.subcommand()?;
    match below.subcommand() {
        Some((second, options)) => Some((cmd::find(&format!("{name} {second}"))?, options)),
        None => Some((cmd::find(name)?, below)),
    }
}
