//! What a cut leaves of the values around a node.

use brickwork_tensor::Nd;

use crate::error::OpError;
use crate::labels::{lines, varying};

/// What remains of a node's operands and results after a cut.
pub struct Kept<'a> {
    pub(crate) inputs: Vec<Option<&'a Remains>>,
    pub(crate) outputs: Vec<&'a Remains>,
}

/// What remains of one value.
///
/// Along the outermost axis that is cut, some indices remain; inside each of these, some of the next axis, and so
/// on: as many everywhere, but not always the same ones.
#[derive(Clone, Debug)]
pub struct Remains {
    /// Extents for one sample, before.
    pub before: Vec<usize>,
    /// Axes that are cut, with the indices that remain on each line along them that is left.
    cuts: Vec<(usize, Vec<Vec<usize>>)>,
}

impl Remains {
    /// Of a value of the given extents for one sample, from what is kept of it: an array with extent 1 along axes on
    /// which nothing changes.
    ///
    /// # Errors
    /// If other numbers of indices remain here than there.
    pub(crate) fn of(before: Vec<usize>, kept: &Nd<bool>) -> Result<Self, OpError> {
        let mut cuts = Vec::new();
        let axes = varying(kept);
        for (place, &axis) in axes.iter().enumerate() {
            let (shape, inside) = lines(kept, &axes[place + 1..]);
            let any = inside.iter().map(|line| line.contains(&true)).collect();
            let along =
                lines(&Nd::new(shape, any), &[axis]).1.into_iter().map(|line: Vec<bool>| {
                    (0..line.len()).filter(|&index| line[index]).collect::<Vec<usize>>()
                });
            let left: Vec<Vec<usize>> = along.filter(|line| !line.is_empty()).collect();
            if left.iter().any(|line| line.len() != left[0].len()) {
                return Err(OpError::new(format!(
                    "unequal numbers of channels would remain along axis {axis}"
                )));
            }
            if left.first().is_none_or(|line| line.len() < kept.shape()[axis]) {
                cuts.push((axis, left));
            }
        }
        Ok(Self { before, cuts })
    }

    /// Of a value of which nothing is removed.
    pub(crate) fn whole(before: Vec<usize>) -> Self {
        Self { before, cuts: Vec::new() }
    }

    /// Whether indices of any axis were removed.
    pub fn is_cut(&self) -> bool {
        !self.cuts.is_empty()
    }

    /// Extents for one sample, after.
    pub fn after(&self) -> Vec<usize> {
        let mut extents = self.before.clone();
        for (axis, left) in &self.cuts {
            extents[*axis] = left.first().map_or(0, Vec::len);
        }
        extents
    }

    /// The indices of `axis` that remain.
    ///
    /// # Errors
    /// If they are not the same everywhere.
    pub fn indices(&self, axis: usize) -> Result<Vec<usize>, OpError> {
        let Some((_, left)) = self.cuts.iter().find(|(cut, _)| *cut == axis) else {
            return Ok((0..self.before[axis]).collect());
        };
        match left.iter().all(|line| *line == left[0]) {
            true => Ok(left.first().cloned().unwrap_or_default()),
            false => {
                Err(OpError::new(format!("other channels remain of axis {axis} here than there")))
            }
        }
    }
}

impl<'a> Kept<'a> {
    /// What remains of the operand in `slot`.
    ///
    /// # Panics
    /// If the operand is missing.
    pub fn input(&self, slot: usize) -> &'a Remains {
        self.inputs[slot].expect("the operator has this operand")
    }

    /// What remains of a result.
    pub fn output(&self, result: usize) -> &'a Remains {
        self.outputs[result]
    }

    /// Whether anything is cut at this node.
    pub fn changes(&self) -> bool {
        self.inputs.iter().flatten().chain(&self.outputs).any(|remains| remains.is_cut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remains(kept: &str) -> Result<Remains, OpError> {
        let rows: Vec<&str> = kept.split(' ').collect();
        let data = rows.concat().chars().map(|c| c == '#').collect();
        Remains::of(
            vec![rows.len(), 5, rows[0].len()],
            &Nd::new([rows.len(), 1, rows[0].len()], data),
        )
    }

    #[test]
    fn each_row_may_keep_other_columns() {
        let found = remains("##. ... .##").unwrap();
        assert_eq!(found.after(), [2, 5, 2]);
        assert_eq!(found.indices(0).unwrap(), [0, 2]);
        assert_eq!(found.indices(1).unwrap(), [0, 1, 2, 3, 4]);
        assert!(found.indices(2).unwrap_err().0.contains("here than there"));
        assert_eq!(remains("##. ##.").unwrap().indices(2).unwrap(), [0, 1]);
        assert!(!remains("## ##").unwrap().is_cut());
    }

    #[test]
    fn rows_of_unequal_length_are_refused() {
        assert!(remains("##. #..").unwrap_err().0.contains("unequal numbers"));
    }
}
