//! Products with a matrix of mostly zeros, such as the adjacency of a graph's nodes.

use rayon::prelude::*;

use super::whole_rows;
use crate::nd::volume;
use crate::simd::{Level, Simd, dispatch};

/// A matrix `[rows, columns]` of which only the entries that are not zero are kept, row by row
/// (compressed sparse rows).
#[derive(Clone, Debug, PartialEq)]
pub struct Sparse {
    columns: usize,
    /// Where each row's entries begin, and where the last row's end.
    starts: Vec<usize>,
    /// Column and value of every entry, by row, then column.
    entries: Vec<(usize, f32)>,
}

impl Sparse {
    /// The entries of a row-major matrix with rows of `columns` elements.
    ///
    /// # Panics
    /// If `dense` does not hold whole rows.
    pub fn new(dense: &[f32], columns: usize) -> Self {
        whole_rows(dense.len(), columns);
        let (mut starts, mut entries) = (vec![0], Vec::new());
        for row in dense.chunks_exact(columns) {
            entries.extend(row.iter().copied().enumerate().filter(|(_, x)| *x != 0.0));
            starts.push(entries.len());
        }
        Self { columns, starts, entries }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// The entries of a row: column and value, by column.
    pub fn row(&self, row: usize) -> &[(usize, f32)] {
        &self.entries[self.starts[row]..self.starts[row + 1]]
    }

    /// Rows and columns exchanged.
    pub fn transposed(&self) -> Self {
        let mut rows = vec![Vec::new(); self.columns];
        for row in 0..self.rows() {
            self.row(row).iter().for_each(|&(column, x)| rows[column].push((row, x)));
        }
        let mut starts = vec![0];
        starts.extend(rows.iter().scan(0, |end, row| {
            *end += row.len();
            Some(*end)
        }));
        Self { columns: self.rows(), starts, entries: rows.concat() }
    }

    /// The product with a dense matrix: `dense` `[columns, width]` to `out` `[rows, width]`. Every
    /// element is one sum over its row's entries in order, whatever the number of threads.
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub fn times(&self, dense: &[f32], width: usize, out: &mut [f32], level: Level) {
        assert_eq!(dense.len(), volume(&[self.columns, width]), "length of the dense matrix");
        assert_eq!(out.len(), volume(&[self.rows(), width]), "output length");
        let each = ROWS_AT_A_TIME * width;
        out.par_chunks_mut(each).enumerate().for_each(|(block, out)| {
            for (k, out) in out.chunks_exact_mut(width).enumerate() {
                let row = self.row(block * ROWS_AT_A_TIME + k);
                // SAFETY: columns of entries are below `columns`, so their rows lie in `dense`.
                #[allow(unsafe_code)]
                {
                    dispatch!(level, combine(
                        row: &[(usize, f32)] = row,
                        dense: &[f32] = dense,
                        out: &mut [f32] = out,
                    ));
                }
            }
        });
    }
}

/// Rows of a task: they have few entries each.
const ROWS_AT_A_TIME: usize = 64;

/// Vectors of a row that are summed at once, in registers.
const VECTORS: usize = 4;

/// `out` becomes the sum of the rows of `dense` that `row` names, times their values.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn combine<S: Simd>(row: &[(usize, f32)], dense: &[f32], out: &mut [f32]) {
    let whole = out.len() / (VECTORS * S::LANES) * (VECTORS * S::LANES);
    let width = out.len();
    unsafe {
        for at in (0..whole).step_by(VECTORS * S::LANES) {
            let mut sums = [S::splat(0.0); VECTORS];
            for &(from, x) in row {
                let from = dense.as_ptr().add(from * width + at);
                for (k, sum) in sums.iter_mut().enumerate() {
                    *sum = S::fma(S::splat(x), S::load(from.add(k * S::LANES)), *sum);
                }
            }
            for (k, sum) in sums.into_iter().enumerate() {
                S::store(out.as_mut_ptr().add(at + k * S::LANES), sum);
            }
        }
        for at in (whole..width).step_by(S::LANES) {
            let count = S::LANES.min(width - at);
            let mut sum = S::splat(0.0);
            for &(from, x) in row {
                let from = dense.as_ptr().add(from * width + at);
                sum = S::fma(S::splat(x), S::load_up_to(from, count), sum);
            }
            S::store_up_to(out.as_mut_ptr().add(at), count, sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::noise;

    /// A matrix with two thirds of its elements, one row and one column all zero.
    fn mostly_zero(rows: usize, columns: usize) -> Vec<f32> {
        let mut dense = noise(rows * columns, 3);
        for (k, x) in dense.iter_mut().enumerate() {
            if !(k + k / columns).is_multiple_of(3) || k / columns == 1 || k % columns == 2 {
                *x = 0.0;
            }
        }
        dense
    }

    #[test]
    fn products_equal_dense_ones_at_every_level() {
        let (rows, columns) = (150, 7);
        let dense = mostly_zero(rows, columns);
        let sparse = Sparse::new(&dense, columns);
        for width in [1, 5, 16, 67, 200] {
            let x = noise(columns * width, 9);
            for level in Level::available() {
                let mut out = vec![f32::NAN; rows * width];
                sparse.times(&x, width, &mut out, level);
                for (at, found) in out.iter().enumerate() {
                    let (row, column) = (at / width, at % width);
                    let terms = (0..columns).map(|k| {
                        f64::from(dense[row * columns + k]) * f64::from(x[k * width + column])
                    });
                    let expected: f64 = terms.sum();
                    assert!((f64::from(*found) - expected).abs() < 1e-5, "{level:?} {width} {at}");
                }
            }
        }
    }

    #[test]
    fn transposing_moves_every_entry() {
        let dense = mostly_zero(6, 4);
        let turned: Vec<f32> = (0..24).map(|k| dense[k % 6 * 4 + k / 6]).collect();
        let sparse = Sparse::new(&dense, 4);
        assert!(sparse.row(1).is_empty());
        assert_eq!(sparse.transposed(), Sparse::new(&turned, 6));
        assert_eq!(sparse.transposed().transposed(), sparse);
    }
}
