//! How a request is typed and its answer told.

use brickwork::reports::Reported;

/// A verb on a command line.
pub(crate) trait Shown: Reported {
    /// Options that are given by their place, in order; the others have names.
    const PLACES: &'static [&'static str] = &[];
    /// Options without which the command line makes no sense.
    const REQUIRED: &'static [&'static str] = &[];
    /// An option beside which none is required.
    const INSTEAD: Option<&'static str> = None;
    /// Options that take several words after one name.
    const SEVERAL: &'static [&'static str] = &[];
    /// Options whose words are separated by commas.
    const LISTS: &'static [&'static str] = &[];
    /// A list in the answer of which `--json` prints every item in a line of its own, instead of the
    /// answer.
    const LINES: Option<&'static str> = None;
    /// What `--help` ends with.
    const EXAMPLES: &'static str;

    /// The answer in words.
    fn text(&self, answer: &Self::Answer) -> String;

    /// Whether the answer is good news; otherwise the command ends with code 1.
    fn succeeded(answer: &Self::Answer) -> bool {
        let _ = answer;
        true
    }
}
