//! One file per command.

pub(crate) mod about;
pub(crate) mod annotate;
pub(crate) mod assemble;
pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod cache;
pub(crate) mod calibrate;
pub(crate) mod card;
pub(crate) mod compress;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod disassemble;
pub(crate) mod distill;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod finetune;
pub(crate) mod gcn;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod masks;
pub(crate) mod predict;
pub(crate) mod probe;
pub(crate) mod profile;
pub(crate) mod refit;
pub(crate) mod reject;
pub(crate) mod report;
pub(crate) mod route;
#[cfg(feature = "box")]
pub(crate) mod store;
#[cfg(feature = "studio")]
pub(crate) mod studio;
pub(crate) mod train;
pub(crate) mod verify;

use brickwork::{recipe, verbs};

use crate::command::{Entry, entry};

/// The commands that are verbs of the library, in the order of the help.
pub(crate) const ALL: &[Entry] = &[
    entry::<verbs::Init>(),
    entry::<verbs::Inspect>(),
    entry::<verbs::Report>(),
    entry::<verbs::Card>(),
    entry::<verbs::Profile>(),
    entry::<verbs::Disassemble>(),
    entry::<verbs::Compress>(),
    entry::<verbs::Assemble>(),
    entry::<verbs::Calibrate>(),
    entry::<verbs::Refit>(),
    entry::<verbs::Reject>(),
    entry::<verbs::Eval>(),
    entry::<verbs::Predict>(),
    entry::<verbs::Doctor>(),
    entry::<verbs::Probe>(),
    entry::<verbs::Train>(),
    entry::<verbs::Finetune>(),
    entry::<verbs::Distill>(),
    entry::<verbs::GcnTrain>(),
    entry::<verbs::GcnDisassemble>(),
    entry::<verbs::GcnEval>(),
    entry::<verbs::Verify>(),
    entry::<verbs::Masks>(),
    entry::<verbs::Diff>(),
    entry::<verbs::Route>(),
    entry::<verbs::Annotate>(),
    entry::<verbs::Bench>(),
    entry::<recipe::Build>(),
    entry::<recipe::PrintRecipe>(),
    entry::<recipe::InitRecipe>(),
];

/// The command of this name.
pub(crate) fn find(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verbs_of_the_library_are_commands_in_its_order() {
        let own: Vec<&str> = verbs::ALL.iter().map(|verb| verb.name).collect();
        let commands: Vec<&str> = ALL.iter().map(Entry::name).collect();
        assert_eq!(commands[..own.len()], own);
    }

    #[test]
    fn requests_schemas_help_and_command_lines_say_the_same() {
        ALL.iter().for_each(|entry| (entry.agrees)());
    }
}
