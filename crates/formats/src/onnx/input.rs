//! The shape of an input, where the file leaves some of it open.

use std::collections::HashSet;

use brickwork_graph::{Dim, Graph, Shape};

use super::literal::{element_type, stored};
use super::proto::{self, Extent};
use super::sparse;
use crate::error::ReadError;

/// Pixels along one axis of the input.
const MOST_PIXELS: usize = 1 << 20;

/// Channels of an image.
const CHANNELS: [usize; 2] = [3, 1];

/// How to read a model whose file leaves something open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadOptions {
    /// Height and width of the input, where the file leaves them open.
    pub size: Option<[usize; 2]>,
    /// Whether the channels of the input are its last axis, where that matters to what is open.
    pub channels_last: Option<bool>,
    /// The value to take for the model's only output, by name: one of its outputs, or a value inside. What
    /// it does not need is not read.
    pub output: Option<String>,
}

/// The inputs that are no constants.
pub(super) fn own_inputs(graph: &proto::Graph) -> impl Iterator<Item = &proto::ValueInfo> {
    let sparse = graph.sparse_initializer.iter().map(sparse::name);
    let dense = graph.initializer.iter().map(|tensor| tensor.name.as_str());
    let constants: HashSet<&str> = dense.chain(sparse).collect();
    graph.input.iter().filter(move |input| !constants.contains(input.name.as_str()))
}

/// Extents of an input as the file states them, the first axis among them.
pub(super) fn stated(input: &proto::ValueInfo) -> Option<&[proto::Dimension]> {
    let shape = input.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?;
    Some(&shape.dim)
}

/// The shapes that an input may have, with its first axis open: one where the file and `options` say it,
/// several where the number of channels is open or which axis holds them.
pub(super) fn possible(
    input: &proto::ValueInfo,
    options: &ReadOptions,
) -> Result<Vec<Shape>, String> {
    let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let elements = tensor.map_or(0, |tensor| tensor.elem_type);
    if stored(elements).is_none() {
        return Err(format!(
            "the input is of {}, expected floats of 32 or 16 bits; export the model with such an input",
            element_type(elements)
        ));
    }
    let dims = stated(input).ok_or("the input has no shape")?;
    if dims.is_empty() {
        return Err("the input is a scalar".to_owned());
    }
    let sides: Vec<Option<usize>> = dims[1..].iter().map(extent).collect();
    match sides[..] {
        [first, height, last] => image(first, height, last, options),
        _ => Ok(vec![whole(&sides)?]),
    }
}

/// A stated extent. Some exporters write 0 or -1 for an open one.
fn extent(dim: &proto::Dimension) -> Option<usize> {
    match dim.value {
        Some(Extent::Fixed(extent)) => usize::try_from(extent).ok().filter(|&e| e > 0),
        _ => None,
    }
}

/// A shape of which nothing is open but the batch.
fn whole(sides: &[Option<usize>]) -> Result<Shape, String> {
    if let Some(axis) = sides.iter().position(Option::is_none) {
        return Err(format!(
            "the input's extent on axis {} is open; export the model with a fixed one",
            axis + 1
        ));
    }
    let sides: Vec<usize> = sides.iter().flatten().copied().collect();
    batched(&sides)
}

/// The shape of a batch of samples with these extents.
fn batched(extents: &[usize]) -> Result<Shape, String> {
    match extents.iter().enumerate().find(|(_, extent)| **extent > MOST_PIXELS) {
        None => Ok(Shape::batched(extents)),
        Some((place, extent)) => Err(format!(
            "the input's extent on axis {} is {extent}, at most {MOST_PIXELS} is supported",
            place + 1
        )),
    }
}

/// The shapes of an image with these extents behind the batch.
fn image(
    first: Option<usize>,
    middle: Option<usize>,
    last: Option<usize>,
    options: &ReadOptions,
) -> Result<Vec<Shape>, String> {
    if let (Some(first), Some(middle), Some(last)) = (first, middle, last) {
        return Ok(vec![batched(&[first, middle, last])?]);
    }
    let asked = options.size.map_or([None; 2], |[height, width]| [Some(height), Some(width)]);
    let mut found = Vec::new();
    for channels_last in orders(first, last, options) {
        let (channels, sides, axis) = match channels_last {
            true => (last, [first, middle], 1),
            false => (first, [middle, last], 2),
        };
        let side = |k: usize| {
            sides[k].or(asked[k]).ok_or_else(|| {
                let axis = axis + k;
                format!(
                    "the input's extent on axis {axis} is open; state height and width (`size=`)"
                )
            })
        };
        let (height, width) = (side(0)?, side(1)?);
        for channels in channels.map_or(CHANNELS.to_vec(), |channels| vec![channels]) {
            found.push(match channels_last {
                true => batched(&[height, width, channels])?,
                false => batched(&[channels, height, width])?,
            });
        }
    }
    Ok(found)
}

/// Whether channels may be the last axis, and whether they may be the first behind the batch, by their
/// extents there: an image has 1 or 3.
fn orders(first: Option<usize>, last: Option<usize>, options: &ReadOptions) -> Vec<bool> {
    let fits = |extent: Option<usize>| extent.is_some_and(|extent| CHANNELS.contains(&extent));
    match (options.channels_last, fits(first), fits(last)) {
        (Some(channels_last), ..) => vec![channels_last],
        (None, true, _) => vec![false],
        (None, false, true) => vec![true],
        (None, false, false) if first.is_none() && last.is_none() => vec![false, true],
        (None, false, false) => vec![first.is_some() && last.is_none()],
    }
}

/// The error that several shapes of the input suit the nodes.
pub(super) fn unclear(graphs: &[Graph]) -> ReadError {
    let shape = |graph: &Graph| graph.value(graph.inputs()[0]).shape.clone();
    let channels_last =
        |shape: &Shape| matches!(shape.0[3], Dim::Fixed(extent) if CHANNELS.contains(&extent));
    let shapes: Vec<Shape> = graphs.iter().map(shape).collect();
    let listed: Vec<String> = shapes.iter().map(ToString::to_string).collect();
    let orders: Vec<bool> = shapes.iter().map(channels_last).collect();
    let advice = match orders.iter().all(|&order| order == orders[0]) {
        true => "export the model with a fixed number of channels",
        false => "say which axis holds the channels (`layout=nchw` or `layout=nhwc`)",
    };
    ReadError::malformed(format!(
        "the shape of its input is open, and its nodes take each of {}; {advice}",
        listed.join(", ")
    ))
}
