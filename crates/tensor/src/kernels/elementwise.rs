//! Functions of two elements, with broadcasting.

use rayon::prelude::*;

use crate::nd::volume;
use crate::simd::{Level, Simd, dispatch};

/// A function of two elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// `a + b`.
    Add,
    /// `a - b`.
    Sub,
    /// `a * b`.
    Mul,
    /// `a / b`.
    Div,
    /// `a` to the power `b`.
    Pow,
    /// `a` where positive, else `a * b`.
    PRelu,
    /// The larger one.
    Max,
    /// The smaller one.
    Min,
}

impl Binary {
    /// The function itself.
    #[inline(always)]
    pub fn of(self, a: f32, b: f32) -> f32 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Pow => {
                if b == 2.0 {
                    a * a
                } else {
                    a.powf(b)
                }
            }
            Self::PRelu => {
                if a < 0.0 {
                    a * b
                } else {
                    a
                }
            }
            Self::Max => {
                if a < b {
                    b
                } else {
                    a
                }
            }
            Self::Min => {
                if b < a {
                    b
                } else {
                    a
                }
            }
        }
    }
}

/// One of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

impl Binary {
    /// The derivative with respect to one operand.
    #[inline(always)]
    pub fn slope(self, side: Side, a: f32, b: f32) -> f32 {
        match (self, side) {
            (Self::Add, _) | (Self::Sub, Side::A) => 1.0,
            (Self::Sub, Side::B) => -1.0,
            (Self::Mul, Side::A) => b,
            (Self::Mul, Side::B) => a,
            (Self::Div, Side::A) => 1.0 / b,
            (Self::Div, Side::B) => -a / (b * b),
            (Self::Pow, Side::A) => {
                if b == 2.0 {
                    2.0 * a
                } else if b == 0.0 {
                    0.0
                } else {
                    b * a.powf(b - 1.0)
                }
            }
            (Self::Pow, Side::B) => {
                if a == 0.0 && b >= 0.0 {
                    0.0
                } else {
                    a.powf(b) * a.ln()
                }
            }
            (Self::PRelu, side) => match side {
                Side::A if a > 0.0 => 1.0,
                Side::A => b,
                Side::B if a > 0.0 => 0.0,
                Side::B => a,
            },
            (Self::Max, Side::A) => f32::from(a >= b),
            (Self::Max, Side::B) => f32::from(a < b),
            (Self::Min, Side::A) => f32::from(a <= b),
            (Self::Min, Side::B) => f32::from(b < a),
        }
    }
}

/// Tasks that sums over rows are cut into.
const TASKS: usize = 16;

/// How two operands are walked to fill a dense output.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Output extents, outermost first, neighbouring axes merged where both operands allow.
    extents: Vec<usize>,
    a: Vec<usize>,
    b: Vec<usize>,
}

impl Walk {
    /// A walk over `extents` (outermost first) with each operand's strides; 0 repeats.
    ///
    /// # Panics
    /// If there are not as many strides as extents, or more elements than can be counted.
    pub fn new(extents: &[usize], a: &[usize], b: &[usize]) -> Self {
        assert_eq!([a.len(), b.len()], [extents.len(); 2], "strides");
        volume(extents);
        let mut walk = Self { extents: Vec::new(), a: Vec::new(), b: Vec::new() };
        for k in 0..extents.len() {
            if extents[k] == 1 {
                continue;
            }
            match walk.extents.len().checked_sub(1) {
                Some(last)
                    if walk.a[last] == a[k] * extents[k] && walk.b[last] == b[k] * extents[k] =>
                {
                    walk.extents[last] *= extents[k];
                    (walk.a[last], walk.b[last]) = (a[k], b[k]);
                }
                _ => {
                    walk.extents.push(extents[k]);
                    walk.a.push(a[k]);
                    walk.b.push(b[k]);
                }
            }
        }
        if walk.extents.is_empty() {
            (walk.extents, walk.a, walk.b) = (vec![1], vec![1], vec![1]);
        }
        walk
    }

    /// `out[k] = function(a[..], b[..])` for every output element.
    ///
    /// # Panics
    /// If an operand is shorter than its walk, or `out` does not match the extents.
    pub fn run(&self, function: Binary, a: &[f32], b: &[f32], out: &mut [f32], level: Level) {
        assert_eq!(out.len(), volume(&self.extents), "output length");
        let inner = self.extents[self.extents.len() - 1];
        let rows = out.len() / inner;
        let together = (1_usize << 14).div_ceil(inner);
        let task = |(index, chunk): (usize, &mut [f32])| {
            for (row, out) in chunk.chunks_mut(inner).enumerate() {
                let (at_a, at_b) = self.offsets(index * together + row);
                self.row(function, &a[at_a..], &b[at_b..], out, level);
            }
        };
        if rows <= together {
            return task((0, out));
        }
        out.par_chunks_mut(together * inner).enumerate().for_each(task);
    }

    /// `a[k] = function(a[k], b[..])` for every element of a dense `a`.
    ///
    /// # Panics
    /// If `b` is shorter than its walk, or `a` does not match the extents.
    pub fn update(&self, function: Binary, a: &mut [f32], b: &[f32], level: Level) {
        assert_eq!(a.len(), volume(&self.extents), "operand length");
        let inner = self.extents[self.extents.len() - 1];
        let together = (1_usize << 14).div_ceil(inner);
        let task = |(index, chunk): (usize, &mut [f32])| {
            for (row, a) in chunk.chunks_mut(inner).enumerate() {
                let (_, at) = self.offsets(index * together + row);
                self.row_in_place(function, a, &b[at..], level);
            }
        };
        a.par_chunks_mut(together * inner).enumerate().for_each(task);
    }

    /// The gradient of one operand from that of the result: summed wherever the operand was
    /// repeated. `out` is as long as the operand.
    ///
    /// # Panics
    /// If an array is shorter than its walk, or `gradient` does not match the extents.
    pub fn backward(
        &self,
        function: Binary,
        side: Side,
        a: &[f32],
        b: &[f32],
        gradient: &[f32],
        out: &mut [f32],
    ) {
        assert_eq!(gradient.len(), volume(&self.extents), "gradient length");
        out.fill(0.0);
        let last = self.extents.len() - 1;
        let own = if side == Side::A { &self.a } else { &self.b };
        let rows = volume(&self.extents[..last]);
        let outer = self.extents[0];
        let row = |row: usize, out: &mut [f32], start: usize| {
            let (at_a, at_b) = self.offsets(row);
            let at = if side == Side::A { at_a } else { at_b } - start;
            let dy = &gradient[row * self.extents[last]..][..self.extents[last]];
            for (k, dy) in dy.iter().enumerate() {
                let slope =
                    function.slope(side, a[at_a + k * self.a[last]], b[at_b + k * self.b[last]]);
                out[at + k * own[last]] += dy * slope;
            }
        };
        // Where the outermost axis is the operand's own, its parts are summed side by side.
        if last > 0 && own[0] > 0 && own[0] * outer == out.len() {
            let each = rows / outer;
            out.par_chunks_mut(own[0]).enumerate().for_each(|(index, out)| {
                (index * each..(index + 1) * each).for_each(|k| row(k, out, index * own[0]));
            });
            return;
        }
        // Otherwise stretches of rows are summed apart, if there is much more to sum than sums.
        let splits = (gradient.len() / out.len().max(1) / 4).clamp(1, TASKS).min(rows);
        let bound = |split: usize| split * rows / splits;
        let sums = (0..splits).into_par_iter().map(|split| {
            let mut sums = vec![0.0; out.len()];
            (bound(split)..bound(split + 1)).for_each(|k| row(k, &mut sums, 0));
            sums
        });
        for sums in sums.collect::<Vec<_>>() {
            out.iter_mut().zip(sums).for_each(|(sum, more)| *sum += more);
        }
    }

    #[allow(unsafe_code)]
    fn row_in_place(&self, function: Binary, a: &mut [f32], b: &[f32], level: Level) {
        let stride = self.b[self.extents.len() - 1];
        // SAFETY: `update_row` indexes with bounds checks.
        dispatch!(level, update_row(
            function: Binary = function,
            stride: usize = stride,
            a: &mut [f32] = a,
            b: &[f32] = b,
        ));
    }

    fn offsets(&self, mut row: usize) -> (usize, usize) {
        let (mut at_a, mut at_b) = (0, 0);
        for k in (0..self.extents.len() - 1).rev() {
            let index = row % self.extents[k];
            row /= self.extents[k];
            at_a += index * self.a[k];
            at_b += index * self.b[k];
        }
        (at_a, at_b)
    }

    #[allow(unsafe_code)]
    fn row(&self, function: Binary, a: &[f32], b: &[f32], out: &mut [f32], level: Level) {
        let last = self.extents.len() - 1;
        let strides = (self.a[last], self.b[last]);
        // SAFETY: `fill_row` indexes with bounds checks.
        dispatch!(level, fill_row(
            function: Binary = function,
            strides: (usize, usize) = strides,
            a: &[f32] = a,
            b: &[f32] = b,
            out: &mut [f32] = out,
        ));
    }
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn fill_row<S: Simd>(
    function: Binary,
    strides: (usize, usize),
    a: &[f32],
    b: &[f32],
    out: &mut [f32],
) {
    macro_rules! with {
        ($($f:ident)*) => {
            match function {
                $(Binary::$f => fill(strides, a, b, out, |x, y| Binary::$f.of(x, y)),)*
            }
        };
    }
    with!(Add Sub Mul Div Pow PRelu Max Min);
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn update_row<S: Simd>(function: Binary, stride: usize, a: &mut [f32], b: &[f32]) {
    macro_rules! with {
        ($($f:ident)*) => {
            match (function, stride) {
                $((Binary::$f, 0) => a.iter_mut().for_each(|x| *x = Binary::$f.of(*x, b[0])),
                (Binary::$f, 1) => {
                    let b = &b[..a.len()];
                    a.iter_mut().zip(b).for_each(|(x, &y)| *x = Binary::$f.of(*x, y));
                }
                (Binary::$f, s) => {
                    a.iter_mut().enumerate().for_each(|(k, x)| *x = Binary::$f.of(*x, b[k * s]));
                })*
            }
        };
    }
    with!(Add Sub Mul Div Pow PRelu Max Min);
}

#[inline(always)]
fn fill(
    strides: (usize, usize),
    a: &[f32],
    b: &[f32],
    out: &mut [f32],
    f: impl Fn(f32, f32) -> f32,
) {
    let len = out.len();
    match strides {
        (1, 1) => {
            let (a, b) = (&a[..len], &b[..len]);
            out.iter_mut().enumerate().for_each(|(k, y)| *y = f(a[k], b[k]));
        }
        (1, 0) => {
            let (a, b) = (&a[..len], b[0]);
            out.iter_mut().zip(a).for_each(|(y, &x)| *y = f(x, b));
        }
        (0, 1) => {
            let (a, b) = (a[0], &b[..len]);
            out.iter_mut().zip(b).for_each(|(y, &x)| *y = f(a, x));
        }
        (s, t) => out.iter_mut().enumerate().for_each(|(k, y)| *y = f(a[k * s], b[k * t])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasts_along_either_operand() {
        let a: Vec<f32> = (0..6).map(|k| k as f32).collect();
        let walk = Walk::new(&[2, 3], &[3, 1], &[0, 1]);
        let mut out = [0.0; 6];
        walk.run(Binary::Sub, &a, &[1.0, 2.0, 3.0], &mut out, Level::best());
        assert_eq!(out, [-1.0, -1.0, -1.0, 2.0, 2.0, 2.0]);
        let walk = Walk::new(&[2, 3], &[1, 0], &[3, 1]);
        walk.run(Binary::Mul, &[2.0, 10.0], &a, &mut out, Level::best());
        assert_eq!(out, [0.0, 2.0, 4.0, 30.0, 40.0, 50.0]);
    }

    #[test]
    fn updates_in_place() {
        let mut a = [1.0, 2.0, 3.0, 4.0];
        let walk = Walk::new(&[2, 2], &[2, 1], &[0, 1]);
        walk.update(Binary::Add, &mut a, &[10.0, 20.0], Level::best());
        assert_eq!(a, [11.0, 22.0, 13.0, 24.0]);
    }

    #[test]
    fn slopes_agree_with_finite_differences() {
        let functions =
            [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Pow, Binary::PRelu];
        for function in functions {
            for (a, b) in [(0.7, 1.3), (2.5, 2.0), (1.5, -0.8), (-1.2, 1.7)] {
                if function == Binary::Pow && a < 0.0 {
                    continue;
                }
                let at = |a: f32, b: f32| f64::from(function.of(a, b));
                let along_a = (at(a + 1e-2, b) - at(a - 1e-2, b)) / 2e-2;
                let along_b = (at(a, b + 1e-2) - at(a, b - 1e-2)) / 2e-2;
                let found = [Side::A, Side::B].map(|side| f64::from(function.slope(side, a, b)));
                assert!((found[0] - along_a).abs() < 1e-3, "{function:?}({a}, {b}): {found:?}");
                assert!((found[1] - along_b).abs() < 1e-3, "{function:?}({a}, {b}): {found:?}");
            }
        }
        assert_eq!(Binary::Pow.slope(Side::A, 0.0, 0.0), 0.0);
        assert_eq!(Binary::Pow.slope(Side::B, 0.0, 2.0), 0.0);
    }

    #[test]
    fn gradients_are_summed_over_repetitions() {
        // [rows, 3] with [3], the rows enough to be summed apart.
        let (rows, columns) = (1000, 3);
        let a: Vec<f32> = (0..rows * columns).map(|k| (k % 7) as f32).collect();
        let dy: Vec<f32> = (0..rows * columns).map(|k| (k % 5) as f32).collect();
        let walk = Walk::new(&[rows, columns], &[columns, 1], &[0, 1]);
        let mut sums = [9.0; 3];
        walk.backward(Binary::Mul, Side::B, &a, &[1.0, 2.0, 3.0], &dy, &mut sums);
        for (c, sum) in sums.iter().enumerate() {
            let column = (c..rows * columns).step_by(columns);
            assert_eq!(*sum, column.map(|k| a[k] * dy[k]).sum::<f32>());
        }
    }

    #[test]
    fn dense_operands_merge_into_one_row() {
        let walk = Walk::new(&[2, 1, 3, 4], &[12, 12, 4, 1], &[12, 12, 4, 1]);
        assert_eq!(walk.extents, [24]);
    }
}
