//! What can go wrong while planning and running.

use brickwork_graph::{Node, OpError};
use thiserror::Error;

/// Why a graph cannot run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ExecError {
    /// A node cannot run on its operands.
    #[error("node `{node}` ({kind}): {problem}")]
    Node {
        /// Its name.
        node: String,
        /// Its operator.
        kind: String,
        /// What was expected and found.
        problem: String,
    },
    /// A value is needed that nobody feeds.
    #[error("value `{value}` is needed but neither fed nor computed")]
    NotFed {
        /// Its name.
        value: String,
    },
    /// Data of the wrong size.
    #[error("value `{value}` is fed {found} numbers, expected {expected} for a batch of {batch}")]
    WrongSize {
        /// Its name.
        value: String,
        /// Numbers given.
        found: usize,
        /// Numbers needed.
        expected: usize,
        /// Samples.
        batch: usize,
    },
}

impl ExecError {
    pub(crate) fn of(node: &Node, error: &OpError) -> Self {
        let kind = node.op.kind().to_owned();
        Self::Node { node: node.name.clone(), kind, problem: error.0.clone() }
    }
}
