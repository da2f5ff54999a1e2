//! The common view of layers that multiply their input by weights.

use brickwork_tensor::Tensor;
use brickwork_tensor::kernels::window::Window;

/// How a layer's weight array is laid out in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightLayout {
    /// `[outputs, inputs / groups, kernel...]`.
    OutputsFirst,
    /// `[inputs, outputs]`.
    InputsFirst,
}

/// A layer `y[o] = sum over i, k of w[o, i, k] * x[i, k] + b[o]`: a convolution, or a linear
/// layer as its special case with one tap. Input in slot 0, weights in slot 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted {
    /// Output channels.
    pub outputs: usize,
    /// Input channels over all groups.
    pub inputs: usize,
    /// Independent groups.
    pub groups: usize,
    /// The sliding window of a convolution over `[n, c, h, w]`; `None` for a linear layer, whose
    /// channels lie on its input's last axis.
    pub window: Option<Window>,
    /// Where things lie in the weight array.
    pub layout: WeightLayout,
    /// The slot a bias `[outputs]` stands in or may be put into.
    pub bias_slot: Option<usize>,
}

impl Weighted {
    /// Kernel positions per input channel.
    pub fn taps(&self) -> usize {
        self.window.as_ref().map_or(1, |window| window.kernel[0] * window.kernel[1])
    }

    /// Whether every output reads a single channel of its own (depthwise convolution).
    pub fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.inputs == self.groups
    }

    /// The axis of the input (of `rank` axes) that holds the channels.
    pub fn channel_axis(&self, rank: usize) -> usize {
        if self.window.is_some() { 1 } else { rank - 1 }
    }

    /// The weights as `[outputs, inputs / groups, taps]`.
    pub fn weights(&self, stored: &Tensor) -> Tensor {
        let canonical = [self.outputs, self.inputs / self.groups, self.taps()];
        match self.layout {
            WeightLayout::OutputsFirst => stored.clone().reshape(canonical),
            WeightLayout::InputsFirst => stored.transpose(&[1, 0]).reshape(canonical),
        }
    }

    /// The array to store for `weights` (`[outputs, inputs / groups, taps]`), shaped like `stored`.
    pub fn store(&self, weights: &Tensor, stored: &Tensor) -> Tensor {
        match self.layout {
            WeightLayout::OutputsFirst => weights.clone().reshape(stored.shape()),
            WeightLayout::InputsFirst => {
                weights.clone().reshape([self.outputs, self.inputs]).transpose(&[1, 0])
            }
        }
    }
}
