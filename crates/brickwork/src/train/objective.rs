//! What a network is trained towards.

use std::fmt;

use brickwork_exec::{Target, binary_cross_entropy, correct, cross_entropy, decided};
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

    /// The mean loss of a batch of images `[n, c, h, w]` with the classes of each, one where classes exclude each
    /// other, and how many of them are classified correctly. Sets the targets' gradients.
    ///
    /// # Errors
    /// If something that the loss needs cannot be computed.
    fn loss(
        &mut self,
        images: &Tensor,
        labels: &[Vec<usize>],
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
        labels: &[Vec<usize>],
        targets: &mut [Target<'_>],
    ) -> Result<(f64, usize), Error> {
        let Target { data, gradient, .. } = &mut targets[0];
        let labels = labels.concat();
        let loss = cross_entropy(data, &labels, self.smoothing, gradient).map_err(broken)?;
        Ok((loss, correct(data, &labels).map_err(broken)?))
    }
}

/// Binary cross-entropy towards the labels, of classes that do not exclude each other. An image is classified correctly
/// where every class is decided rightly.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Decisions {
    /// Label smoothing, from 0 to 1.
    pub smoothing: f64,
}

impl Objective for Decisions {
    fn describe(&self) -> String {
        format!("labels apart, smoothing {}", self.smoothing)
    }

    fn loss(
        &mut self,
        _: &Tensor,
        labels: &[Vec<usize>],
        targets: &mut [Target<'_>],
    ) -> Result<(f64, usize), Error> {
        let Target { data, gradient, .. } = &mut targets[0];
        let loss = binary_cross_entropy(data, labels, self.smoothing, gradient).map_err(broken)?;
        Ok((loss, decided(data, labels).map_err(broken)?))
    }
}
