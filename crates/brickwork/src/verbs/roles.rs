//! What options do with the files that they name. An option means the same wherever it stands.

/// What an option does with what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads this file or folder.
    Input,
    /// Reads images or nodes: `PATH`, or `NAME=PATH` for one part of a model.
    Data,
    /// Reads a component for one class: `CLASS=FILE`.
    Component,
    /// Reads a model if it ends in `.onnx`; any other word is an architecture.
    Student,
    /// Reads a list of names from a file if it is `@FILE`; other words are the names.
    Names,
    /// Writes this file.
    Output,
    /// Writes files into this folder.
    Folder,
    /// Keeps unfinished work in this file, and removes it at the end.
    Checkpoint,
}

/// Options that name files, with what they do.
const ROLES: &[(&str, Role)] = &[
    ("a", Role::Input),
    ("b", Role::Input),
    ("checkpoint", Role::Checkpoint),
    ("class_names", Role::Names),
    ("classes", Role::Names),
    ("confusion", Role::Output),
    ("csv", Role::Output),
    ("curve", Role::Output),
    ("data", Role::Data),
    ("foreign", Role::Input),
    ("frontier", Role::Output),
    ("images", Role::Input),
    ("indices", Role::Input),
    ("keep", Role::Input),
    ("keep_all", Role::Folder),
    ("labels", Role::Input),
    ("latency_table", Role::Input),
    ("log", Role::Output),
    ("masks_out", Role::Output),
    ("merge", Role::Input),
    ("model", Role::Input),
    ("models", Role::Input),
    ("node_data", Role::Output),
    ("output", Role::Output),
    ("parts", Role::Input),
    ("per_image", Role::Output),
    ("profile", Role::Input),
    ("replace", Role::Component),
    ("source", Role::Input),
    ("student", Role::Student),
    ("teacher", Role::Input),
    ("weights", Role::Input),
];

/// What the option of this name does with the files that it names; nothing if it names none.
pub fn role(option: &str) -> Option<Role> {
    ROLES.iter().find(|(name, _)| *name == option).map(|(_, role)| *role)
}

impl Role {
    /// Whether the option names what is written.
    pub fn writes(self) -> bool {
        matches!(self, Self::Output | Self::Folder | Self::Checkpoint)
    }

    /// What stands before the file in one value of the option, with the file; nothing if the value names
    /// no file.
    pub fn file(self, value: &str) -> Option<NamedFile<'_>> {
        let at = |place: usize| NamedFile { before: &value[..place], file: &value[place..] };
        let behind = |sign: usize| at(sign + 1);
        match self {
            Self::Data => match value.find('=') {
                Some(sign) if sign > 0 && !value[..sign].contains(['/', '\\']) => {
                    Some(behind(sign))
                }
                _ => Some(at(0)),
            },
            Self::Component => value.find('=').map(behind),
            Self::Names => value.starts_with('@').then(|| at(1)),
            Self::Student => (value.ends_with(".onnx") || value.starts_with('@')).then(|| at(0)),
            Self::Input | Self::Output | Self::Folder | Self::Checkpoint => Some(at(0)),
        }
    }
}

/// A file in a value of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedFile<'a> {
    /// What stands before it, with the sign between.
    pub before: &'a str,
    /// The file.
    pub file: &'a str,
}
