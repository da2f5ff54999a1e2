//! The gradient of weights: the one loop behind the backward passes of convolutions and linear
//! layers.
//!
//! `dw[o, i, t] = sum over rows of dy[row, o] * input(row, t)[i]`
//!
//! with rows and taps as in [`gemm`](super::gemm). Rows are summed in an order that depends on
//! the shapes alone, never on the number of threads.
// Register arrays are walked by index: iterator adapters keep them out of registers.
#![allow(unsafe_code, clippy::needless_range_loop)]

use rayon::prelude::*;

use super::gemm::{Gather, Shared};
use crate::buffer::Buffer;
use crate::nd::volume;
use crate::simd::{Level, Simd, dispatch};

/// What a layer's weights connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Input channels, over all groups.
    pub channels: usize,
    /// Output channels, over all groups.
    pub outputs: usize,
    /// Groups; divides both.
    pub groups: usize,
}

/// Rows whose inputs and gradients stay in cache while all taps and columns are visited.
const CHUNK: usize = 256;

/// Sums that are kept apart until the end: at most this many elements.
const PARTIALS: usize = 1 << 22;

/// Tasks that the work is cut into.
const TASKS: usize = 16;

/// Adds up `dw` `[outputs, channels / groups, taps]` over `rows` rows of `input` (found through
/// `gather`) and `gradient` `[rows, outputs]`. `scratch` is for the loop to use.
///
/// # Panics
/// If a length does not fit or `groups` does not divide `channels` and `outputs`.
#[allow(clippy::too_many_arguments)]
pub fn correlate(
    level: Level,
    connections: Connections,
    gather: &Gather,
    input: &[f32],
    gradient: &[f32],
    rows: usize,
    dw: &mut [f32],
    scratch: &mut Buffer,
) {
    let Connections { channels, outputs, groups } = connections;
    assert_eq!([channels % groups, outputs % groups], [0, 0], "groups must divide");
    let each = channels / groups;
    let size = volume(&[gather.taps, each, outputs]);
    assert_eq!(dw.len(), size, "weight count");
    assert!(gradient.len() >= volume(&[rows, outputs]), "gradient too short");
    gather.check(input, rows, channels);
    if rows == 0 {
        return dw.fill(0.0);
    }
    let plan = Sums::plan(level, connections, gather.taps, rows);
    let partials = scratch.ensure(plan.splits * size);
    let zeros = vec![0.0; channels];
    let to = Shared(partials.as_mut_ptr());
    let work = Work { level, connections, gather, input, gradient, zeros: &zeros };
    (0..plan.splits * plan.parts).into_par_iter().with_max_len(1).for_each(|task| {
        let (split, part) = (task / plan.parts, task % plan.parts);
        let bounds = |k: usize, of: usize, total: usize| [k, k + 1].map(|k| k * total / of);
        let pieces = &plan.pieces[{
            let [from, to] = bounds(part, plan.parts, plan.pieces.len());
            from..to
        }];
        work.sum(bounds(split, plan.splits, rows), pieces, split * size, to);
    });
    fold(&partials[..plan.splits * size], [gather.taps, each, outputs], dw);
}

/// `dw[o, i, t] = sum over s of partials[s, t, i, o]`.
fn fold(partials: &[f32], [taps, each, outputs]: [usize; 3], dw: &mut [f32]) {
    let size = taps * each * outputs;
    let row = each * taps;
    // Neighbouring outputs lie together in the partial sums.
    const TOGETHER: usize = 16;
    dw.par_chunks_mut((row * TOGETHER).max(1)).enumerate().for_each(|(block, dw)| {
        let first = block * TOGETHER;
        let count = dw.len() / row;
        for t in 0..taps {
            for i in 0..each {
                let mut sums = [0.0; TOGETHER];
                for split in partials.chunks_exact(size) {
                    let from = &split[(t * each + i) * outputs + first..][..count];
                    sums.iter_mut().zip(from).for_each(|(sum, x)| *sum += x);
                }
                for (o, sum) in sums[..count].iter().enumerate() {
                    dw[o * row + i * taps + t] = *sum;
                }
            }
        }
    });
}

/// Some columns of the gradient against one tap.
#[derive(Clone, Copy, Debug)]
struct Piece {
    tap: usize,
    first: usize,
    cols: usize,
    vecs: usize,
    /// First input channel of the group the columns belong to.
    channel: usize,
}

/// How the sums are cut into tasks.
struct Sums {
    splits: usize,
    parts: usize,
    pieces: Vec<Piece>,
}

impl Sums {
    fn plan(level: Level, connections: Connections, taps: usize, rows: usize) -> Self {
        let Connections { channels, outputs, groups } = connections;
        let (_, most, lanes) = level.tile();
        let (each, columns) = (channels / groups, outputs / groups);
        let mut pieces = Vec::new();
        for tap in 0..taps {
            for group in 0..groups {
                for start in (0..columns).step_by(most * lanes) {
                    let cols = (most * lanes).min(columns - start);
                    let first = group * columns + start;
                    let (vecs, channel) = (cols.div_ceil(lanes), group * each);
                    pieces.push(Piece { tap, first, cols, vecs, channel });
                }
            }
        }
        let size = (taps * each * outputs).max(1);
        let splits = (PARTIALS / size).clamp(1, TASKS).min(rows.div_ceil(CHUNK)).max(1);
        let parts = TASKS.div_ceil(splits).min(pieces.len());
        Self { splits, parts, pieces }
    }
}

struct Work<'a> {
    level: Level,
    connections: Connections,
    gather: &'a Gather,
    input: &'a [f32],
    gradient: &'a [f32],
    zeros: &'a [f32],
}

impl Work<'_> {
    /// Adds up `pieces` over rows `from..until`, into `[taps, each, outputs]` at `offset`.
    fn sum(&self, [from, until]: [usize; 2], pieces: &[Piece], offset: usize, out: Shared) {
        let each = self.connections.channels / self.connections.groups;
        let mut pointers = Vec::with_capacity(CHUNK);
        let mut start = from;
        loop {
            let end = until.min(start + CHUNK);
            let mut tap = None;
            for piece in pieces {
                if tap.replace(piece.tap) != Some(piece.tap) {
                    self.point(piece.tap, start, end, &mut pointers);
                }
                let chunk = Chunk {
                    piece: *piece,
                    rows: &pointers,
                    gradient: &self.gradient[start * self.connections.outputs..],
                    outputs: self.connections.outputs,
                    each,
                    begins: start == from,
                    offset: offset + piece.tap * each * self.connections.outputs + piece.first,
                };
                // SAFETY: `correlate` checked the lengths; tasks write disjoint columns or splits.
                dispatch!(self.level, run_chunk(chunk: &Chunk<'_> = &chunk, out: Shared = out));
            }
            start = end;
            if start >= until {
                return;
            }
        }
    }

    /// The inputs that rows `from..until` read through `tap`.
    fn point(&self, tap: usize, from: usize, until: usize, into: &mut Vec<*const f32>) {
        let Gather { positions, taps, offsets, image } = self.gather;
        into.clear();
        into.extend((from..until).map(|row| {
            let at = offsets[row % positions * taps + tap];
            at.map_or(self.zeros.as_ptr(), |at| {
                self.input[row / positions * image + at as usize..].as_ptr()
            })
        }));
    }
}

struct Chunk<'a> {
    piece: Piece,
    rows: &'a [*const f32],
    gradient: &'a [f32],
    outputs: usize,
    each: usize,
    begins: bool,
    offset: usize,
}

#[inline(always)]
unsafe fn run_chunk<S: Simd>(chunk: &Chunk<'_>, out: Shared) {
    let mut first = 0;
    while first < chunk.each {
        let count = S::ROWS.min(chunk.each - first);
        macro_rules! choose {
            ($($r:literal)*) => {
                match count {
                    $($r if $r <= S::ROWS => choose!($r: 1 2 3 4),)*
                    _ => unreachable!("no register tile has more than 8 rows"),
                }
            };
            ($r:literal: $($v:literal)*) => {
                match chunk.piece.vecs {
                    // SAFETY: rows `first..first + R` are below `each`, the columns are the piece's.
                    $($v if $v <= S::VECS => unsafe {
                        run_tile::<S, $r, $v>(chunk, first, out.0)
                    },)*
                    _ => unreachable!("no register tile has more than 4 vectors"),
                }
            };
        }
        choose!(1 2 3 4 5 6 7 8);
        first += count;
    }
}

/// `out[first + r, col] (+)= sum over rows of row[first + r] * gradient[row, col]`.
#[inline(always)]
unsafe fn run_tile<S: Simd, const R: usize, const V: usize>(
    chunk: &Chunk<'_>,
    first: usize,
    out: *mut f32,
) {
    let piece = chunk.piece;
    let tail = piece.cols - (V - 1) * S::LANES;
    let count = |v: usize| if v + 1 == V { tail } else { S::LANES };
    let at = |r: usize, v: usize| chunk.offset + (first + r) * chunk.outputs + v * S::LANES;
    // SAFETY: `out` is `[taps, each, outputs]` and `offset` the piece's first column in it; of the last
    // vector only the `tail` columns that the piece has are read and written.
    unsafe {
        let mut acc = [[S::splat(0.0); V]; R];
        if !chunk.begins {
            for r in 0..R {
                for v in 0..V {
                    acc[r][v] = S::load_up_to(out.add(at(r, v)), count(v));
                }
            }
        }
        let gradient = chunk.gradient.as_ptr().add(piece.first);
        let shift = piece.channel + first;
        acc = if tail == S::LANES {
            rows::<S, R, V, true>(acc, chunk, gradient, shift, tail)
        } else {
            rows::<S, R, V, false>(acc, chunk, gradient, shift, tail)
        };
        for r in 0..R {
            for v in 0..V {
                S::store_up_to(out.add(at(r, v)), count(v), acc[r][v]);
            }
        }
    }
}

#[inline(always)]
unsafe fn rows<S: Simd, const R: usize, const V: usize, const WHOLE: bool>(
    mut acc: [[S::V; V]; R],
    chunk: &Chunk<'_>,
    mut gradient: *const f32,
    shift: usize,
    tail: usize,
) -> [[S::V; V]; R] {
    // SAFETY: every row points at the input's channels or at as many zeros, of which `shift + R` are there;
    // `gradient` is at the piece's columns of the same row, of whose last vector `tail` are there.
    unsafe {
        for row in chunk.rows {
            let row = row.add(shift);
            let dy: [S::V; V] = std::array::from_fn(|v| {
                if WHOLE || v + 1 < V {
                    S::load(gradient.add(v * S::LANES))
                } else {
                    S::load_partial(gradient.add(v * S::LANES), tail)
                }
            });
            // Behind the last row it may point beyond the array, and is not read.
            gradient = gradient.wrapping_add(chunk.outputs);
            for r in 0..R {
                let x = S::splat(*row.add(r));
                for v in 0..V {
                    acc[r][v] = S::fma(x, dy[v], acc[r][v]);
                }
            }
        }
        acc
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::noise;
    use super::*;
    use proptest::prelude::*;

    fn naive(c: Connections, g: &Gather, x: &[f32], dy: &[f32], rows: usize) -> Vec<f64> {
        let (each, columns) = (c.channels / c.groups, c.outputs / c.groups);
        let mut dw = vec![0.0; c.outputs * each * g.taps];
        for (row, o) in (0..rows * c.outputs).map(|k| (k / c.outputs, k % c.outputs)) {
            for t in 0..g.taps {
                let Some(at) = g.offsets[row % g.positions * g.taps + t] else { continue };
                let from = row / g.positions * g.image + at as usize + o / columns * each;
                for i in 0..each {
                    dw[(o * each + i) * g.taps + t] +=
                        f64::from(x[from + i]) * f64::from(dy[row * c.outputs + o]);
                }
            }
        }
        dw
    }

    #[test]
    fn no_rows_sum_to_nothing() {
        let connections = Connections { channels: 2, outputs: 2, groups: 1 };
        let (mut dw, mut scratch) = ([9.0; 4], Buffer::copy_of(&[9.0; 4]));
        let gather = Gather::rows(2);
        correlate(Level::best(), connections, &gather, &[], &[], 0, &mut dw, &mut scratch);
        assert_eq!(dw, [0.0; 4]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn equals_the_definition(
            columns in 1usize..60, each in 1usize..20, groups in 1usize..4, taps in 1usize..4,
            positions in 1usize..200, images in 1usize..5,
        ) {
            let connections =
                Connections { channels: each * groups, outputs: columns * groups, groups };
            let pixels = positions + taps;
            let offsets = (0..positions * taps)
                .map(|k| (k % 5 != 3).then_some((k % pixels * connections.channels) as u32))
                .collect();
            let gather = Gather { positions, taps, offsets, image: pixels * connections.channels };
            let rows = positions * images;
            let x = noise(gather.image * images, 1);
            let dy = noise(rows * connections.outputs, 2);
            let expected = naive(connections, &gather, &x, &dy, rows);
            for level in Level::available() {
                let mut dw = vec![f32::NAN; expected.len()];
                let mut scratch = Buffer::default();
                correlate(level, connections, &gather, &x, &dy, rows, &mut dw, &mut scratch);
                for (got, want) in dw.iter().zip(&expected) {
                    prop_assert!((f64::from(*got) - want).abs() < 1e-3, "{level:?}: {got} {want}");
                }
            }
        }
    }
}
