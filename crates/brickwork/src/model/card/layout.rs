//! In which order the axes of a model's input lie in its file.

use brickwork_graph::{Graph, reads_reordered, reorder_input};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::error::Error;

/// The order of an image input's axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InputLayout {
    /// `[n, c, h, w]`, as PyTorch has it.
    Nchw,
    /// `[n, h, w, c]`, as TensorFlow has it.
    Nhwc,
}

/// Where the axes of `[n, c, h, w]` lie in `[n, h, w, c]`, and the other way round.
const TO_NCHW: [usize; 4] = [0, 3, 1, 2];
const TO_NHWC: [usize; 4] = [0, 2, 3, 1];

impl InputLayout {
    /// The layout of a graph's only input. All that reads an input `[n, h, w, c]` takes it as
    /// `[n, c, h, w]`, or its shape is that of images of at least 8x8 with 1 or 3 channels in this order
    /// alone.
    pub(crate) fn of(graph: &Graph) -> Self {
        let extents = graph.value(graph.inputs()[0]).shape.sample();
        let holds_channels = |axis: usize| matches!(extents[axis], 1 | 3);
        let looks_last = || extents[1].min(extents[2]) >= 8 && holds_channels(3);
        let is_last = extents.len() == 4 && (reads_reordered(graph, &TO_NCHW) || looks_last());
        if is_last { Self::Nhwc } else { Self::Nchw }
    }

    /// The graph of a file with this layout, its input as `[n, c, h, w]`.
    ///
    /// # Errors
    /// If the graph would not be sound.
    pub(crate) fn read(self, graph: Graph) -> Result<Graph, Error> {
        match self {
            Self::Nchw => Ok(graph),
            Self::Nhwc => Ok(reorder_input(&graph, &TO_NCHW)?),
        }
    }

    /// The graph of a file with this layout, from one whose input is `[n, c, h, w]`.
    ///
    /// # Errors
    /// If the graph would not be sound.
    pub(crate) fn stored(self, graph: &Graph) -> Result<Graph, Error> {
        match self {
            Self::Nchw => Ok(graph.clone()),
            Self::Nhwc => Ok(reorder_input(graph, &TO_NHWC)?),
        }
    }
}
