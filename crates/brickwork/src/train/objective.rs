//! What a network is trained towards.

use std::fmt;

use brickwork_exec::{LossError, Target, binary_cross_entropy, correct, cross_entropy, decided};
use brickwork_graph::{Graph, ValueId};
use brickwork_tensor::Tensor;

use crate::model::error::Error;
use crate::model::head::HeadKind;

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

/// Cross-entropy towards the labels: that of a choice among classes that exclude each other, or, where an image may be of
/// several, that of a decision about every class. Then an image is classified correctly where all are decided rightly.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Labels {
    /// Label smoothing, from 0 to 1.
    pub smoothing: f64,
    /// What scores mean.
    pub head: HeadKind,
}

impl Labels {
    /// The mean loss of scores `[n, k]`, whose gradient is set, and how many samples are classified correctly.
    pub(super) fn of_scores(
        self,
        scores: &[f32],
        labels: &[Vec<usize>],
        gradient: &mut [f32],
    ) -> Result<(f64, usize), LossError> {
        if self.head == HeadKind::Multilabel {
            let loss = binary_cross_entropy(scores, labels, self.smoothing, gradient)?;
            return Ok((loss, decided(scores, labels)?));
        }
        let labels = labels.concat();
        let loss = cross_entropy(scores, &labels, self.smoothing, gradient)?;
        Ok((loss, correct(scores, &labels)?))
    }
}

impl Objective for Labels {
    fn describe(&self) -> String {
        let apart = if self.head == HeadKind::Multilabel { " apart" } else { "" };
        format!("labels{apart}, smoothing {}", self.smoothing)
    }

    fn loss(
        &mut self,
        _: &Tensor,
        labels: &[Vec<usize>],
        targets: &mut [Target<'_>],
    ) -> Result<(f64, usize), Error> {
        let Target { data, gradient, .. } = &mut targets[0];
        self.of_scores(data, labels, gradient).map_err(broken)
    }
}
