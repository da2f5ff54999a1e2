//! Networks of one architecture side by side in one: which part's channels stand where.

use crate::error::OpError;
use crate::op::Op;

/// Which part, and which of its channels, stands at each place along a value's channel axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrangement {
    /// The channel axis.
    pub axis: usize,
    /// (part, channel) by place.
    pub places: Vec<(usize, usize)>,
}

impl Arrangement {
    /// All channels of the first part, then all of the second, and so on.
    pub fn natural(axis: usize, counts: &[usize]) -> Self {
        let places = counts.iter().enumerate();
        Self {
            axis,
            places: places.flat_map(|(part, &n)| (0..n).map(move |c| (part, c))).collect(),
        }
    }

    /// For every place of `other`, the place here that holds the same channel.
    pub fn places_of(&self, other: &Self) -> Option<Vec<usize>> {
        other.places.iter().map(|want| self.places.iter().position(|have| have == want)).collect()
    }
}

/// What an operator sees and says when the same node of several parts becomes one node.
pub struct JointNode<'a> {
    /// The parts' operators, which are of one kind.
    pub parts: &'a [&'a dyn Op],
    /// How each computed operand is arranged; `None` for constants, missing operands, and values
    /// that all parts share.
    pub inputs: Vec<Option<Arrangement>>,
    /// Channels of operand 0, by part.
    pub counts: Vec<usize>,
    /// Elements of one channel of operand 0, for one sample.
    pub each: usize,
    /// The channel axis of each result.
    pub axes: Vec<usize>,
    /// The arrangement of each result; filled in by the operator.
    pub outputs: Vec<Option<Arrangement>>,
}

impl JointNode<'_> {
    /// All parts have the attributes of the first.
    ///
    /// # Errors
    /// If they differ.
    pub fn agree(&self) -> Result<(), OpError> {
        let first = self.parts[0].spec();
        if self.parts.iter().all(|op| op.spec() == first) {
            return Ok(());
        }
        Err(OpError::new("the parts' attributes differ"))
    }

    /// The result is arranged as the first arranged operand is.
    pub fn pass(&mut self) {
        let places = self.inputs.iter().flatten().next().map(|a| a.places.clone());
        self.outputs[0] = places.map(|places| Arrangement { axis: self.axes[0], places });
    }

    /// The operator of the first part serves all; channels pass through.
    ///
    /// # Errors
    /// If the parts' attributes differ.
    pub fn same(&mut self, op: impl Op + 'static) -> Result<std::sync::Arc<dyn Op>, OpError> {
        self.agree()?;
        self.pass();
        Ok(std::sync::Arc::new(op))
    }

    /// Every channel becomes a run of `each` neighbouring places.
    pub fn spread(&mut self, each: usize) {
        let places = self.inputs[0].as_ref().map(|arranged| {
            let runs = arranged.places.iter();
            runs.flat_map(|&(part, c)| (0..each).map(move |k| (part, c * each + k))).collect()
        });
        self.outputs[0] = places.map(|places| Arrangement { axis: self.axes[0], places });
    }
}
