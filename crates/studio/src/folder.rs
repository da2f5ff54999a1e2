//! What lies in the folder the studio works on.

use std::fs;
use std::path::{Component, Path};
use std::time::SystemTime;

use crate::failure::StudioError;

/// How many folders deep models and images are looked for.
const DEPTH: usize = 3;

/// How many files and folders are looked at, at most: whoever opens the studio on a whole disk is not kept waiting.
const MOST: usize = 20_000;

/// A file or folder, named from the folder the studio works on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Its path, with `/` between names.
    pub(crate) path: String,
    pub(crate) is_folder: bool,
}

/// Everything in the folder, by name, what is above before what is in it. Hidden files are left out.
pub(crate) fn places() -> Vec<Place> {
    let mut found = Vec::new();
    list("", DEPTH, &mut found);
    found
}

/// Adds what is in `folder`.
fn list(folder: &str, depth: usize, found: &mut Vec<Place>) {
    let Ok(entries) = fs::read_dir(if folder.is_empty() { "." } else { folder }) else { return };
    let mut here: Vec<Place> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let is_folder = Path::new(&path).is_dir();
            (!name.starts_with('.')).then_some(Place { path, is_folder })
        })
        .take(MOST.saturating_sub(found.len()))
        .collect();
    here.sort();
    for place in here {
        let inner = (place.is_folder && depth > 1).then(|| place.path.clone());
        found.push(place);
        inner.iter().for_each(|inner| list(inner, depth - 1, found));
    }
}

/// Whether there is something at this path of the folder that is not hidden, and no deeper than is looked for.
pub(crate) fn is_place(path: &str) -> bool {
    let plain = |name: &str| {
        let mut parts = Path::new(name).components();
        let one = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
        one && !name.starts_with('.')
    };
    path.split('/').count() <= DEPTH && path.split('/').all(plain) && Path::new(path).exists()
}

/// By what a file is known to be the same: when it was written, and its length.
pub(crate) fn stamp(path: &str) -> Option<(SystemTime, u64)> {
    let data = fs::metadata(path).ok()?;
    Some((data.modified().ok()?, data.len()))
}

/// A text with `-` for all but letters, digits and `_`, so that it can stand in names of files and of steps of recipes.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect()
}

/// The name of a file to make that is not there.
///
/// # Errors
/// If it is.
pub(crate) fn unused(name: String) -> Result<String, StudioError> {
    if stamp(&name).is_none() {
        return Ok(name);
    }
    Err(StudioError::request(format!("there is a file `{name}` already; choose another name")))
}

/// A name for a file to make that is not there, as [`new_name`] gives it.
///
/// # Errors
/// As that, or if it is there.
pub(crate) fn new_file(typed: &str, ending: &str) -> Result<String, StudioError> {
    unused(new_name(typed, ending)?)
}

/// A name for a file to make, as somebody typed it: without the ending, which is added.
///
/// # Errors
/// If it is no plain name, so that it could lead out of the folder or be misread on a command line.
fn new_name(typed: &str, ending: &str) -> Result<String, StudioError> {
    let typed = typed.trim();
    let name = typed.strip_suffix(ending).unwrap_or(typed);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let begins = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if !begins || name.chars().count() > 64 || !name.chars().all(plain) {
        return Err(StudioError::request(format!(
            "`{typed}` is no name for a file here: use up to 64 letters, digits, `-` and `_`, a letter or digit first"
        )));
    }
    Ok(format!("{name}{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_folder_and_not_hidden() {
        assert!(is_place("src") && is_place("src/pages/job.rs"));
        for path in [
            "",
            ".",
            "..",
            "../studio/src",
            "./src",
            "src/",
            "src//app.rs",
            "/etc",
            "src/none",
            ".hidden",
        ] {
            assert!(!is_place(path), "{path}");
        }
    }

    #[test]
    fn names_lead_nowhere_else() {
        for typed in
            ["", "../a", "a/b", "a\\b", ".a", "-a", "a b", "a\0b", "a=b", "a.b", &"a".repeat(65)]
        {
            assert!(new_name(typed, ".onnx").is_err(), "{typed}");
        }
        for typed in ["pets", " pets ", "pets.onnx"] {
            assert_eq!(new_name(typed, ".onnx").ok().as_deref(), Some("pets.onnx"));
        }
    }
}
