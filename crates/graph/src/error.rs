//! What can be wrong with a node, and with a graph.

use std::fmt;

use thiserror::Error;

/// Why an operator refuses its attributes or operands; the caller adds the node.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct OpError(pub String);

impl OpError {
    /// A refusal in words: what was expected, what was found.
    pub fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

/// Something wrong with one node, value or with the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The node or value, as the file names it.
    pub place: String,
    /// Operator type, if the place is a node.
    pub kind: Option<String>,
    /// What was expected and what was found.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) => write!(f, "node `{}` ({kind}): {}", self.place, self.text),
            None => write!(f, "`{}`: {}", self.place, self.text),
        }
    }
}

/// Everything wrong with a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 40;
        for (k, problem) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{problem}", if k == 0 { "" } else { "\n" })?;
        }
        if self.0.len() > SHOWN {
            write!(f, "\nand {} more", self.0.len() - SHOWN)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
