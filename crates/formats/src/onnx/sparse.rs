//! Constants that are nearly all zero: only the others are in the file.

use brickwork_graph::Literal;
use brickwork_tensor::{Nd, Tensor};

use super::external::External;
use super::literal::{self, extents, literal};
use super::proto::SparseTensor;
use crate::memory::room;

/// Elements from which on a constant may be written as sparse. What is small stays as other readers
/// know it.
const LARGE: usize = 1 << 16;

/// At most one in so many elements of a constant written as sparse is not zero.
const RARE: usize = 16;

/// Whether a constant is written as sparse.
pub(super) fn is_sparse(data: &Tensor) -> bool {
    let count = data.data().len();
    count >= LARGE && data.data().iter().filter(|x| is_kept(**x)).count() * RARE <= count
}

/// Whether an element is in the file: all but positive zeros.
fn is_kept(x: f32) -> bool {
    x.to_bits() != 0
}

/// The constant in the form of the file.
pub(super) fn tensor(name: &str, data: &Tensor) -> SparseTensor {
    let entries = data.data().iter().enumerate().filter(|(_, x)| is_kept(**x));
    let (places, values): (Vec<i64>, Vec<f32>) =
        entries.map(|(place, &x)| (place as i64, x)).unzip();
    SparseTensor {
        values: Some(literal::tensor(name, &Literal::Floats(Nd::vector(values)))),
        indices: Some(literal::tensor(
            &format!("{name}.indices"),
            &Literal::Ints(Nd::vector(places)),
        )),
        dims: data.shape().iter().map(|&extent| extent as i64).collect(),
    }
}

/// The name of a constant.
pub(super) fn name(tensor: &SparseTensor) -> &str {
    tensor.values.as_ref().map_or("", |values| &values.name)
}

/// Elements by place, in row-major order.
type Entries = Vec<(usize, f32)>;

/// The shape of a constant, and place and value of the elements that are in the file.
///
/// # Errors
/// In words, without the constant's name.
pub(super) fn entries(
    tensor: &SparseTensor,
    external: &mut External<'_>,
) -> Result<(Vec<usize>, Entries), String> {
    let (shape, volume) = extents(&tensor.dims)?;
    let mut part = |part: &Option<super::proto::Tensor>, what: &str| match part {
        Some(part) => literal(part, external).map_err(|why| format!("its {what}: {why}")),
        None => Err(format!("it is sparse but has no {what}")),
    };
    let Literal::Floats(values) = part(&tensor.values, "values")? else {
        return Err("it is sparse and holds whole numbers, expected real ones".to_owned());
    };
    let Literal::Ints(indices) = part(&tensor.indices, "indices")? else {
        return Err("its indices are real numbers, expected whole ones".to_owned());
    };
    let count = values.data().len();
    let axes = match *indices.shape() {
        [entries] if entries == count => vec![volume],
        [entries, axes] if axes > 0 && entries == count && axes == shape.len() => shape.clone(),
        _ => {
            let found = indices.shape();
            return Err(format!(
                "it has {count} values and indices of shape {found:?}, expected [{count}] or \
                 [{count}, {}]",
                shape.len()
            ));
        }
    };
    let mut entries: Entries = room(count).map_err(|error| format!("it {error}"))?;
    for (index, &x) in indices.data().chunks(axes.len()).zip(values.data()) {
        let place = place(index, &axes)
            .ok_or_else(|| format!("index {index:?} lies outside its shape {shape:?}"))?;
        if entries.last().is_some_and(|(last, _)| *last >= place) {
            return Err(format!("index {index:?} does not come after the one before"));
        }
        entries.push((place, x));
    }
    Ok((shape, entries))
}

/// The place, in row-major order, of an index along every axis.
fn place(index: &[i64], extents: &[usize]) -> Option<usize> {
    index.iter().zip(extents).try_fold(0, |place, (&index, &extent)| {
        let index = usize::try_from(index).ok().filter(|&index| index < extent)?;
        Some(place * extent + index)
    })
}
