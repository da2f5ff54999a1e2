//! Dense row-major arrays of any element type, and the ways to rearrange them.
//!
//! The same functions move weights (`f32`), folded shape arithmetic (`i64`)
//! and channel labels (`u32`), so a rearrangement is written once.

/// A dense row-major array.
#[derive(Clone, Debug, PartialEq)]
pub struct Nd<T> {
    shape: Vec<usize>,
    data: Vec<T>,
}

/// A dense row-major `f32` array: weights, batches, logits.
pub type Tensor = Nd<f32>;

/// Number of elements of a shape (1 for a scalar).
///
/// # Panics
/// If a `usize` cannot count them, in every build: checks of lengths rely on it.
pub fn volume(shape: &[usize]) -> usize {
    let count = shape.iter().try_fold(1usize, |count, &extent| count.checked_mul(extent));
    count.unwrap_or_else(|| panic!("shape {shape:?} has more elements than can be counted"))
}

/// Row-major strides of `shape`, in elements.
pub fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

impl<T: Copy> Nd<T> {
    /// An array of `shape` over `data` in row-major order.
    ///
    /// # Panics
    /// If `data` does not hold exactly the elements of `shape`.
    pub fn new(shape: impl Into<Vec<usize>>, data: Vec<T>) -> Self {
        let shape = shape.into();
        assert_eq!(volume(&shape), data.len(), "shape {shape:?} does not match its data");
        Self { shape, data }
    }

    /// An array with every element `value`.
    pub fn filled(shape: impl Into<Vec<usize>>, value: T) -> Self {
        let shape = shape.into();
        let data = vec![value; volume(&shape)];
        Self { shape, data }
    }

    /// A rank-0 array.
    pub fn scalar(value: T) -> Self {
        Self { shape: Vec::new(), data: vec![value] }
    }

    /// A rank-1 array.
    pub fn vector(data: Vec<T>) -> Self {
        Self { shape: vec![data.len()], data }
    }

    /// Extents, outermost axis first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Elements in row-major order.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// Elements in row-major order, to be changed in place.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// The elements, in row-major order.
    pub fn into_data(self) -> Vec<T> {
        self.data
    }

    /// Applies `f` to every element.
    pub fn map<U: Copy>(&self, f: impl Fn(T) -> U) -> Nd<U> {
        Nd { shape: self.shape.clone(), data: self.data.iter().map(|&x| f(x)).collect() }
    }

    /// The same elements under another shape.
    ///
    /// # Panics
    /// If the element counts differ.
    pub fn reshape(self, shape: impl Into<Vec<usize>>) -> Self {
        Self::new(shape, self.data)
    }

    /// Reads `shape` elements from `offset` along `strides` (in elements, signed).
    ///
    /// # Panics
    /// If the walk leaves the array.
    pub fn strided(&self, shape: &[usize], strides: &[isize], offset: usize) -> Self {
        let mut data = Vec::with_capacity(volume(shape));
        for_each_offset(shape, strides, offset, |at| data.push(self.data[at]));
        Self { shape: shape.to_vec(), data }
    }

    /// Axis `k` of the result is axis `perm[k]` of `self`.
    pub fn transpose(&self, perm: &[usize]) -> Self {
        let own = row_major(&self.shape);
        let shape: Vec<usize> = perm.iter().map(|&axis| self.shape[axis]).collect();
        let strides: Vec<isize> = perm.iter().map(|&axis| own[axis] as isize).collect();
        self.strided(&shape, &strides, 0)
    }

    /// `count` indices of `axis` from `start`, every `step`-th (`step` may be negative).
    pub fn slice(&self, axis: usize, start: usize, step: isize, count: usize) -> Self {
        let mut shape = self.shape.clone();
        shape[axis] = count;
        let own = row_major(&self.shape);
        let mut strides: Vec<isize> = own.iter().map(|&s| s as isize).collect();
        strides[axis] *= step;
        self.strided(&shape, &strides, start * own[axis])
    }

    /// The given indices of `axis`, in the given order.
    ///
    /// # Panics
    /// If an index lies outside.
    pub fn take(&self, axis: usize, indices: &[usize]) -> Self {
        let outer = volume(&self.shape[..axis]);
        let inner = volume(&self.shape[axis + 1..]);
        let extent = self.shape[axis];
        assert!(indices.iter().all(|&index| index < extent), "index outside axis {axis}");
        let mut data = Vec::with_capacity(outer * indices.len() * inner);
        for block in 0..outer {
            for &index in indices {
                let at = (block * extent + index) * inner;
                data.extend_from_slice(&self.data[at..at + inner]);
            }
        }
        let mut shape = self.shape.clone();
        shape[axis] = indices.len();
        Self { shape, data }
    }

    /// Joins `parts` along `axis`.
    ///
    /// # Panics
    /// If there are no parts or their other extents differ.
    pub fn concat(parts: &[&Self], axis: usize) -> Self {
        let first = parts[0];
        let others = |part: &Self| [&part.shape[..axis], &part.shape[axis + 1..]].concat();
        let agree = parts.iter().all(|part| others(part) == others(first));
        assert!(agree, "the parts may differ along axis {axis} alone");
        let outer = volume(&first.shape[..axis]);
        let mut shape = first.shape.clone();
        shape[axis] = parts.iter().map(|part| part.shape[axis]).sum();
        let mut data = Vec::with_capacity(volume(&shape));
        for block in 0..outer {
            for part in parts {
                let run = volume(&part.shape[axis..]);
                data.extend_from_slice(&part.data[block * run..(block + 1) * run]);
            }
        }
        Self { shape, data }
    }

    /// Adds `before[k]` and `after[k]` elements of `value` around axis `k`.
    pub fn pad(&self, before: &[usize], after: &[usize], value: T) -> Self {
        let shape: Vec<usize> =
            (0..self.rank()).map(|k| before[k] + self.shape[k] + after[k]).collect();
        let mut out = Self::filled(shape, value);
        let strides = row_major(&out.shape);
        let offset = before.iter().zip(&strides).map(|(b, s)| b * s).sum();
        let signed: Vec<isize> = strides.iter().map(|&s| s as isize).collect();
        let mut source = self.data.iter();
        for_each_offset(&self.shape, &signed, offset, |at| {
            if let Some(&x) = source.next() {
                out.data[at] = x;
            }
        });
        out
    }

    /// Repeats axes of extent 1 (and missing leading axes) up to `shape`, as ONNX broadcasting does.
    ///
    /// # Panics
    /// If an extent is neither 1 nor the target's.
    pub fn broadcast(&self, shape: &[usize]) -> Self {
        self.strided(shape, &broadcast_strides(&self.shape, shape), 0)
    }
}

/// Strides that read a row-major array of shape `from` as if it had the broadcast shape `to`.
///
/// # Panics
/// If `from` has more axes, or an extent that is neither 1 nor the matching one of `to`.
pub fn broadcast_strides(from: &[usize], to: &[usize]) -> Vec<isize> {
    assert!(from.len() <= to.len(), "cannot broadcast {from:?} to {to:?}");
    let own = row_major(from);
    let missing = to.len() - from.len();
    (0..to.len())
        .map(|k| match k.checked_sub(missing) {
            None => 0,
            Some(axis) if from[axis] == 1 && to[k] != 1 => 0,
            Some(axis) => {
                assert_eq!(from[axis], to[k], "cannot broadcast {from:?} to {to:?}");
                own[axis] as isize
            }
        })
        .collect()
}

/// The ONNX multidirectional broadcast of two shapes, or `None` where they clash.
pub fn broadcast_shape(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], k: usize| {
        (k + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis])
    };
    (0..rank)
        .map(|k| match (extent(a, k), extent(b, k)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// Calls `visit` with the offset of every element of `shape`, last axis fastest.
pub fn for_each_offset(
    shape: &[usize],
    strides: &[isize],
    offset: usize,
    mut visit: impl FnMut(usize),
) {
    if volume(shape) == 0 {
        return;
    }
    let mut index = vec![0; shape.len()];
    let mut at = offset as isize;
    loop {
        visit(at as usize);
        let mut axis = shape.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis] as isize;
            index[axis] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(shape: &[usize]) -> Nd<i64> {
        Nd::new(shape, (0..volume(shape) as i64).collect())
    }

    #[test]
    fn transpose_moves_axes() {
        let t = counted(&[2, 3, 4]).transpose(&[2, 0, 1]);
        assert_eq!(t.shape(), [4, 2, 3]);
        assert_eq!(t.data()[..6], [0, 4, 8, 12, 16, 20]);
    }

    #[test]
    fn slices_walk_backwards_too() {
        let t = counted(&[5]);
        assert_eq!(t.slice(0, 4, -2, 3).data(), [4, 2, 0]);
        assert_eq!(t.slice(0, 1, 2, 2).data(), [1, 3]);
    }

    #[test]
    fn take_then_concat_restores() {
        let t = counted(&[2, 4, 3]);
        let (a, b) = (t.take(1, &[0, 1]), t.take(1, &[2, 3]));
        assert_eq!(Nd::concat(&[&a, &b], 1), t);
    }

    #[test]
    fn pad_surrounds() {
        let t = counted(&[1, 2]).pad(&[1, 0], &[0, 1], 9);
        assert_eq!(t, Nd::new([2, 3], vec![9, 9, 9, 0, 1, 9]));
    }

    #[test]
    fn broadcasting_follows_onnx() {
        assert_eq!(broadcast_shape(&[3, 1, 2], &[4, 1]), Some(vec![3, 4, 2]));
        assert_eq!(broadcast_shape(&[3], &[2]), None);
        let t = counted(&[2, 1]).broadcast(&[2, 2, 2]);
        assert_eq!(t.data(), [0, 0, 1, 1, 0, 0, 1, 1]);
    }
}
