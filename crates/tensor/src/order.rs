//! Physical orders: which axis of a value is outermost in memory and which innermost.

use crate::nd::row_major;

/// A permutation of a value's axes, outermost in memory first.
///
/// Image values `[n, c, h, w]` usually live channels-last (`[0, 2, 3, 1]`): a pixel's channels
/// are contiguous, so convolutions read them without packing and every per-channel operation
/// works on whole vectors.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Order(Vec<usize>);

impl Order {
    /// The order given by `axes`, outermost first.
    ///
    /// # Panics
    /// If `axes` is not a permutation.
    pub fn new(axes: impl Into<Vec<usize>>) -> Self {
        let axes = axes.into();
        let mut seen = vec![false; axes.len()];
        for &axis in &axes {
            assert!(!std::mem::replace(&mut seen[axis], true), "{axes:?} is not a permutation");
        }
        Self(axes)
    }

    /// Axes in their logical order.
    pub fn row_major(rank: usize) -> Self {
        Self((0..rank).collect())
    }

    /// Axis 1 innermost: `[n, c, h, w]` stored as n, h, w, c. Row-major below rank 3.
    pub fn channels_last(rank: usize) -> Self {
        if rank < 3 {
            return Self::row_major(rank);
        }
        Self((0..rank).filter(|&k| k != 1).chain([1]).collect())
    }

    /// Axes, outermost first.
    pub fn axes(&self) -> &[usize] {
        &self.0
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The logical axis that is contiguous in memory, if there is one.
    pub fn innermost(&self) -> Option<usize> {
        self.0.last().copied()
    }

    /// Extents of `shape` (logical) as they lie in memory, outermost first.
    pub fn physical(&self, shape: &[usize]) -> Vec<usize> {
        self.0.iter().map(|&axis| shape[axis]).collect()
    }

    /// Element strides of each logical axis of a dense array of `shape` in this order.
    pub fn strides(&self, shape: &[usize]) -> Vec<usize> {
        let physical = row_major(&self.physical(shape));
        let mut strides = vec![0; shape.len()];
        for (place, &axis) in self.0.iter().enumerate() {
            strides[axis] = physical[place];
        }
        strides
    }

    /// Whether `other` lays out `shape` in the same places: axes of extent 1 may differ.
    pub fn same_places(&self, other: &Self, shape: &[usize]) -> bool {
        let solid = |order: &Self| -> Vec<usize> {
            order.0.iter().copied().filter(|&axis| shape[axis] != 1).collect()
        };
        self.rank() == other.rank() && solid(self) == solid(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_last_strides() {
        let order = Order::channels_last(4);
        assert_eq!(order.axes(), [0, 2, 3, 1]);
        assert_eq!(order.strides(&[2, 3, 4, 5]), [60, 1, 15, 3]);
        assert_eq!(Order::channels_last(2), Order::row_major(2));
    }

    #[test]
    fn unit_axes_do_not_matter() {
        let (last, first) = (Order::channels_last(4), Order::row_major(4));
        assert!(last.same_places(&first, &[8, 64, 1, 1]));
        assert!(!last.same_places(&first, &[8, 64, 2, 1]));
    }
}
