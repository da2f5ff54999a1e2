//! What a network is trained towards.

use std::fmt;

use brickwork_exec::{Target, correct, cross_entropy};
use brickwork_graph::{Graph, ValueId};
use brickwork_tensor::Tensor;

use crate::model::error::Error;

/// A goal of training.
pub trait Objective {
    /// What tells this goal from others, for checkpoints.
    fn describe(&self) -> String;

    /// The values of the trained graph that the loss reads, class scores first.
    ///
    /// # Errors
    /// If the graph does not have them.
    fn targets(&self, graph: &Graph) -> Result<Vec<ValueId>, Error> {
        Ok(vec![graph.logits()])
    }

    /// The mean loss of a batch of images `[n, c, h, w]` with their classes, and how many of them are
    /// classified correctly. Sets the targets' gradients.
    ///
    /// # Errors
    /// If something that the loss needs cannot be computed.
    fn loss(
        &mut self,
        images: &Tensor,
        labels: &[usize],
        targets: &mut [Target<'_>],
    ) -> Result<(f64, usize), Error>;
}

pub(super) fn broken(error: impl fmt::Display) -> Error {
    Error::training(error.to_string())
}

/// Cross-entropy towards the labels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Labels {
    /// Label smoothing, from 0 to 1.
    pub smoothing: f64,
}

impl Objective for Labels {
    fn describe(&self) -> String {
        format!("labels, smoothing {}", self.smoothing)
    }

    fn loss(
        &mut self,
        _: &Tensor,
        labels: &[usize],
        targets: &mut [Target<'_>],
    ) -> Result<(f64, usize), Error> {
        let Target { data, gradient, .. } = &mut targets[0];
        let loss = cross_entropy(data, labels, self.smoothing, gradient).map_err(broken)?;
        Ok((loss, correct(data, labels).map_err(broken)?))
    }
}
