//! Matrix product by indirection: the one loop under convolutions and linear layers.
//!
//! `out[row, col] = bias[col] + sum over taps t, channels c of  input(row, t)[c] * weight[t, c, col]`
//!
//! where `input(row, t)` is a run of contiguous channels found through a table of offsets. A
//! 1x1 convolution and a linear layer have one tap; a 3x3 convolution has nine, and taps that
//! fall on padding read a run of zeros. The input is never copied or packed. Weights are packed
//! once, into panels as wide as a register tile.
//!
//! Every output is summed in the same order whatever the batch, the position in it and the
//! number of threads, so a sample's result never depends on its neighbours.
// Register arrays are walked by index: iterator adapters keep them out of registers.
#![allow(unsafe_code, clippy::needless_range_loop)]

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::nd::volume;
use crate::simd::{Level, Simd, dispatch};

/// Where the taps of an output row lie in the input.
#[derive(Clone, Debug)]
pub struct Gather {
    /// Output rows per image.
    pub positions: usize,
    /// Taps per output row.
    pub taps: usize,
    /// `[positions, taps]`: offset in elements of the tap's first channel from the start of
    /// the image, or `None` for padding.
    pub offsets: Vec<Option<u32>>,
    /// Elements per input image.
    pub image: usize,
}

impl Gather {
    /// One tap: row `r` reads the `channels` elements at `r * channels`.
    pub fn rows(channels: usize) -> Self {
        Self { positions: 1, taps: 1, offsets: vec![Some(0)], image: channels }
    }

    /// Panics unless `rows` rows find `channels` channels of every tap in `input`.
    pub(super) fn check(&self, input: &[f32], rows: usize, channels: usize) {
        assert_eq!(self.offsets.len(), volume(&[self.positions, self.taps]), "offset table");
        assert!(self.positions > 0, "no positions");
        let images = rows.div_ceil(self.positions);
        assert!(input.len() >= volume(&[images, self.image]), "input too short");
        let last = self.offsets.iter().flatten().max().copied().unwrap_or(0) as usize;
        assert!(last.saturating_add(channels) <= self.image, "offset outside the image");
    }
}

/// What happens to a sum before it is stored: `clamp(sum + residual)`.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a> {
    /// Added to the sum, same layout as the output.
    pub residual: Option<&'a [f32]>,
    /// Lower bound; `-inf` for none.
    pub low: f32,
    /// Upper bound; `inf` for none.
    pub high: f32,
}

impl Finish<'_> {
    /// Stores the sum as it is.
    pub const PLAIN: Finish<'static> =
        Finish { residual: None, low: f32::NEG_INFINITY, high: f32::INFINITY };
}

/// Weights and bias of a linear map, laid out for the register tile of one instruction set.
#[derive(Debug)]
pub struct Packed {
    level: Level,
    outputs: usize,
    /// Input channels of a whole row, over all groups.
    channels: usize,
    taps: usize,
    blocks: Vec<Block>,
    panels: Vec<Panel>,
    weights: Buffer,
    bias: Buffer,
    /// What taps on padding read: one row of zeros.
    zeros: Buffer,
}

/// Columns `first..first + cols` of the output.
#[derive(Clone, Debug)]
struct Panel {
    first: usize,
    cols: usize,
    vecs: usize,
    /// First input channel its group reads.
    channel: usize,
    weights: usize,
    bias: usize,
}

/// A stretch of the sum short enough for its weights to stay in cache.
#[derive(Debug)]
struct Block {
    segments: Vec<Segment>,
    /// Terms of the sum before this block.
    start: usize,
}

/// `len` channels of one tap.
#[derive(Clone, Copy, Debug)]
struct Segment {
    tap: usize,
    channel: usize,
    len: usize,
}

/// Terms of a sum per block: a panel's weights for them fit the second-level cache.
const BLOCK_TERMS: usize = 1024;

impl Packed {
    /// Packs `weights` (`[outputs, channels / groups, taps]`, row-major) and `bias` (`[outputs]`).
    ///
    /// # Panics
    /// If the lengths do not fit, there is no output, or `groups` does not divide `outputs` and
    /// `channels`.
    pub fn new(
        level: Level,
        weights: &[f32],
        bias: Option<&[f32]>,
        outputs: usize,
        channels: usize,
        taps: usize,
        groups: usize,
    ) -> Self {
        let weight_count = volume(&[outputs, channels / groups, taps]);
        assert_eq!(weights.len(), weight_count, "weight count");
        assert!(bias.is_none_or(|b| b.len() == outputs), "bias count");
        let merged = merged_groups(groups, outputs / groups, level.tile().2);
        let mut packed = Self::empty(level, outputs, channels, taps, groups / merged);
        packed.fill(weights, bias, outputs / groups, channels / groups, merged);
        packed
    }

    /// Packs the weights `[channels, outputs]`, row-major, of a linear map.
    ///
    /// # Panics
    /// If their count does not fit.
    pub fn of_rows(level: Level, weights: &[f32], channels: usize, outputs: usize) -> Self {
        assert_eq!(weights.len(), channels * outputs, "weight count");
        let mut packed = Self::empty(level, outputs, channels, 1, 1);
        let lanes = level.tile().2;
        let mut rest = &mut packed.weights[..];
        for panel in &packed.panels {
            let width = panel.vecs * lanes;
            let (part, more) = rest.split_at_mut(channels * width);
            rest = more;
            for (to, row) in part.chunks_exact_mut(width).zip(weights.chunks_exact(outputs)) {
                to[..panel.cols].copy_from_slice(&row[panel.first..][..panel.cols]);
            }
        }
        packed
    }

    /// Room for weights that are zero, of a map that falls into so many equal `parts`.
    fn empty(level: Level, outputs: usize, channels: usize, taps: usize, parts: usize) -> Self {
        assert_eq!(outputs % parts, 0, "groups must divide the outputs");
        assert_eq!(channels % parts, 0, "groups must divide the channels");
        let (_, max_vecs, lanes) = level.tile();
        let (part_outputs, part_channels) = (outputs / parts, channels / parts);
        let terms = taps * part_channels;
        let mut panels = Vec::new();
        let (mut weights_len, mut bias_len) = (0, 0);
        for part in 0..parts {
            let mut first = part * part_outputs;
            let end = first + part_outputs;
            for vecs in panel_widths(part_outputs.div_ceil(lanes), max_vecs) {
                let cols = (vecs * lanes).min(end - first);
                panels.push(Panel {
                    first,
                    cols,
                    vecs,
                    channel: part * part_channels,
                    weights: weights_len,
                    bias: bias_len,
                });
                weights_len += terms * vecs * lanes;
                bias_len += vecs * lanes;
                first += cols;
            }
        }
        Self {
            level,
            outputs,
            channels,
            taps,
            blocks: blocks(taps, part_channels),
            panels,
            weights: Buffer::zeroed(weights_len),
            bias: Buffer::zeroed(bias_len),
            zeros: Buffer::zeroed(channels),
        }
    }

    /// Copies weights to their panels; products between merged groups stay zero.
    fn fill(
        &mut self,
        weights: &[f32],
        bias: Option<&[f32]>,
        group_outputs: usize,
        group_channels: usize,
        merged: usize,
    ) {
        let lanes = self.level.tile().2;
        let (taps, block_channels) = (self.taps, merged * group_channels);
        let mut rest = &mut self.weights[..];
        let mut parts = Vec::new();
        for panel in &self.panels {
            let (part, more) = rest.split_at_mut(taps * block_channels * panel.vecs * lanes);
            parts.push((panel, part));
            rest = more;
            if let Some(bias) = bias {
                self.bias[panel.bias..][..panel.cols]
                    .copy_from_slice(&bias[panel.first..][..panel.cols]);
            }
        }
        // Small weights are packed sooner than another thread wakes.
        let least = (SMALL_PACK / (taps * block_channels * lanes).max(1)).max(1);
        parts.into_par_iter().with_min_len(least).for_each(|(panel, part)| {
            let width = panel.vecs * lanes;
            // A block of channels at a time, so that what is written stays in cache.
            for start in (0..group_channels).step_by(PACK_CHANNELS) {
                let end = group_channels.min(start + PACK_CHANNELS);
                for col in 0..panel.cols {
                    let output = panel.first + col;
                    let shift = (output / group_outputs) % merged * group_channels;
                    let from = &weights[(output * group_channels + start) * taps..];
                    for (channel, w) in from.chunks_exact(taps).take(end - start).enumerate() {
                        let first = shift + start + channel;
                        for (tap, w) in w.iter().enumerate() {
                            part[(tap * block_channels + first) * width + col] = *w;
                        }
                    }
                }
            }
        });
    }

    /// Number of output columns.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Computes `rows` output rows of `outputs` columns each into `out` (dense, row-major).
    ///
    /// # Panics
    /// If `input`, `out` or the residual are too short, or `gather` does not fit the weights.
    pub fn run(
        &self,
        gather: &Gather,
        input: &[f32],
        rows: usize,
        finish: Finish<'_>,
        out: &mut [f32],
    ) {
        if rows == 0 {
            return;
        }
        self.check(gather, input, rows, &finish, out);
        let (each, panel_tasks) = self.tasks(rows);
        let row_tasks = rows.div_ceil(each);
        let to = Shared(out.as_mut_ptr());
        let task = |index: usize| {
            let (first, part) = (index / panel_tasks * each, index % panel_tasks);
            let panels = [part, part + 1].map(|k| k * self.panels.len() / panel_tasks);
            let count = each.min(rows - first);
            let pointers = self.pointers(gather, input, first, count);
            for panel in &self.panels[panels[0]..panels[1]] {
                let job = Job {
                    packed: self,
                    panel,
                    pointers: &pointers,
                    shift: 0,
                    first,
                    count,
                    finish,
                };
                // SAFETY: `check` vouches for the lengths; tasks write disjoint rows or columns.
                dispatch!(self.level, run_panel(job: &Job<'_> = &job, out: Shared = to));
            }
        };
        match row_tasks * panel_tasks {
            1 => task(0),
            tasks => (0..tasks).into_par_iter().with_max_len(1).for_each(task),
        }
    }

    /// How many rows a task handles, and among how many tasks the panels of those rows are shared.
    fn tasks(&self, rows: usize) -> (usize, usize) {
        let (tile_rows, _, _) = self.level.tile();
        let least = rows.div_ceil(most_rows(self.channels, self.taps));
        let wanted = match rayon::current_num_threads() {
            1 => 1,
            threads => TASKS_PER_THREAD * threads,
        };
        let panel_tasks = wanted.div_ceil(least).min(self.panels.len());
        let row_tasks = wanted.div_ceil(panel_tasks).min(rows.div_ceil(FEWEST_ROWS)).max(least);
        (rows.div_ceil(row_tasks).next_multiple_of(tile_rows), panel_tasks)
    }

    fn check(&self, gather: &Gather, input: &[f32], rows: usize, finish: &Finish<'_>, out: &[f32]) {
        assert_eq!(gather.taps, self.taps, "taps");
        gather.check(input, rows, self.channels);
        let results = volume(&[rows, self.outputs]);
        assert!(out.len() >= results, "output too short");
        assert!(finish.residual.is_none_or(|r| r.len() >= results), "residual too short");
    }

    /// The runs each tile reads: `[tile, tap, row in tile]`. Rows past the end read zeros.
    fn pointers(
        &self,
        gather: &Gather,
        input: &[f32],
        first: usize,
        count: usize,
    ) -> Vec<*const f32> {
        let (tile_rows, _, _) = self.level.tile();
        let tiles = count.div_ceil(tile_rows);
        let mut pointers = vec![self.zeros.as_ptr(); tiles * self.taps * tile_rows];
        if gather.positions == 1 && gather.offsets == [Some(0)] {
            let rows = input[first * gather.image..].chunks(gather.image);
            pointers.iter_mut().zip(rows).take(count).for_each(|(to, row)| *to = row.as_ptr());
            return pointers;
        }
        for (index, row) in (first..first + count).enumerate() {
            let (image, position) = (row / gather.positions, row % gather.positions);
            let base = &input[image * gather.image..];
            let offsets = &gather.offsets[position * self.taps..(position + 1) * self.taps];
            let at = index / tile_rows * self.taps * tile_rows + index % tile_rows;
            for (tap, offset) in offsets.iter().enumerate() {
                if let Some(offset) = *offset {
                    pointers[at + tap * tile_rows] = base[offset as usize..].as_ptr();
                }
            }
        }
        pointers
    }

    /// Multiplies several stacks of rows by as many weights, on this thread: stack `k` of `rows` rows
    /// lies at `k * rows * channels` in `input`, is multiplied by `weights[k]`, and its result is
    /// stored at `k * rows * outputs` in `out`. All weights have one tap and one shape.
    ///
    /// # Panics
    /// If the lengths do not fit.
    pub(crate) fn multiply_stacks(weights: &[Self], input: &[f32], rows: usize, out: &mut [f32]) {
        let Some(first) = weights.first() else { return };
        let (channels, outputs) = (first.channels, first.outputs);
        assert!(input.len() >= volume(&[weights.len(), rows, channels]), "input too short");
        assert!(out.len() >= volume(&[weights.len(), rows, outputs]), "output too short");
        let pointers = first.pointers(&Gather::rows(channels), input, 0, rows);
        for (k, packed) in weights.iter().enumerate() {
            let shape = [packed.channels, packed.outputs, packed.taps];
            assert!(shape == [channels, outputs, 1] && packed.level == first.level, "shape");
            let to = Shared(out[k * rows * outputs..].as_mut_ptr());
            for panel in &packed.panels {
                let job = Job {
                    packed,
                    panel,
                    pointers: &pointers,
                    shift: k * rows * channels,
                    first: 0,
                    count: rows,
                    finish: Finish::PLAIN,
                };
                // SAFETY: lengths were checked above; the stacks' rows are `shift` apart.
                dispatch!(packed.level, run_panel(job: &Job<'_> = &job, out: Shared = to));
            }
        }
    }
}

/// Channels packed at a time.
const PACK_CHANNELS: usize = 32;

/// Weights that one thread packs rather than wake another.
const SMALL_PACK: usize = 1 << 15;

/// How many groups to compute as one dense block, so that narrow groups fill a vector.
fn merged_groups(groups: usize, group_outputs: usize, lanes: usize) -> usize {
    let wanted = (lanes / group_outputs).clamp(1, groups);
    (1..=wanted).rev().find(|m| groups.is_multiple_of(*m)).unwrap_or(1)
}

/// Splits `total` vectors into panels of at most `max`, as evenly as possible.
fn panel_widths(total: usize, max: usize) -> impl Iterator<Item = usize> {
    let panels = total.div_ceil(max);
    (0..panels).map(move |p| (total * (p + 1)).div_ceil(panels) - (total * p).div_ceil(panels))
}

fn blocks(taps: usize, channels: usize) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut start, mut room) = (0, 0);
    for tap in 0..taps {
        let mut channel = 0;
        while channel < channels {
            let rest = channels - channel;
            if room < rest.min(BLOCK_TERMS / 4) {
                blocks.push(Block { segments: Vec::new(), start });
                room = BLOCK_TERMS;
            }
            let len = rest.min(room);
            if let Some(block) = blocks.last_mut() {
                block.segments.push(Segment { tap, channel, len });
            }
            channel += len;
            start += len;
            room -= len;
        }
    }
    blocks
}

/// Tasks to make for every thread, so that all are done at about the same time.
const TASKS_PER_THREAD: usize = 8;

/// Rows for each of which there is at most one task.
const FEWEST_ROWS: usize = 32;

/// Most rows a task handles at a time: their inputs fit the second-level cache.
fn most_rows(channels: usize, taps: usize) -> usize {
    (65_536 / channels).clamp(64, 1024).min((9_216 / taps).max(64))
}

/// An output that tasks share.
#[derive(Clone, Copy)]
pub(super) struct Shared(pub(super) *mut f32);
// SAFETY: tasks write disjoint elements.
unsafe impl Send for Shared {}
unsafe impl Sync for Shared {}

struct Job<'a> {
    packed: &'a Packed,
    panel: &'a Panel,
    pointers: &'a [*const f32],
    /// Added to every pointer.
    shift: usize,
    first: usize,
    count: usize,
    finish: Finish<'a>,
}

#[inline(always)]
unsafe fn run_panel<S: Simd>(job: &Job<'_>, out: Shared) {
    let tiles = job.count.div_ceil(S::ROWS);
    let per_tile = job.packed.taps * S::ROWS;
    let blocks = &job.packed.blocks;
    for (index, block) in blocks.iter().enumerate() {
        let (begins, ends) = (index == 0, index + 1 == blocks.len());
        for tile in 0..tiles {
            let row = tile * S::ROWS;
            let rows = S::ROWS.min(job.count - row);
            let at = Tile { row: job.first + row, pointers: tile * per_tile, begins, ends };
            macro_rules! choose {
                ($($r:literal)*) => {
                    match rows {
                        $($r if $r <= S::ROWS => choose!($r: 1 2 3 4),)*
                        _ => unreachable!("no register tile has more than 8 rows"),
                    }
                };
                ($r:literal: $($v:literal)*) => {
                    match job.panel.vecs {
                        $($v if $v <= S::VECS => unsafe {
                            run_tile::<S, $r, $v>(job, block, at, out.0)
                        },)*
                        _ => unreachable!("no register tile has more than 4 vectors"),
                    }
                };
            }
            choose!(1 2 3 4 5 6 7 8);
        }
    }
}

#[derive(Clone, Copy)]
struct Tile {
    row: usize,
    pointers: usize,
    begins: bool,
    ends: bool,
}

#[inline(always)]
unsafe fn run_tile<S: Simd, const R: usize, const V: usize>(
    job: &Job<'_>,
    block: &Block,
    tile: Tile,
    out: *mut f32,
) {
    let (packed, panel) = (job.packed, job.panel);
    let at = |r: usize, v: usize| (tile.row + r) * packed.outputs + panel.first + v * S::LANES;
    // All vectors of a panel are whole but perhaps the last.
    let tail = panel.cols - (V - 1) * S::LANES;
    let count = |v: usize| if v + 1 == V { tail } else { S::LANES };
    unsafe {
        let mut acc = [[S::splat(0.0); V]; R];
        for r in 0..R {
            for v in 0..V {
                acc[r][v] = if tile.begins {
                    S::load(packed.bias.as_ptr().add(panel.bias + v * S::LANES))
                } else {
                    S::load_up_to(out.add(at(r, v)), count(v))
                };
            }
        }
        let mut weights = packed.weights.as_ptr().add(panel.weights + block.start * V * S::LANES);
        for segment in &block.segments {
            let runs: [*const f32; R] = std::array::from_fn(|r| {
                (*job.pointers.as_ptr().add(tile.pointers + segment.tap * S::ROWS + r))
                    .add(job.shift + panel.channel + segment.channel)
            });
            acc = multiply::<S, R, V>(acc, runs, weights, segment.len);
            weights = weights.add(segment.len * V * S::LANES);
        }
        let (low, high) = (S::splat(job.finish.low), S::splat(job.finish.high));
        for r in 0..R {
            for v in 0..V {
                let mut sum = acc[r][v];
                if tile.ends {
                    if let Some(residual) = job.finish.residual {
                        let more = S::load_up_to(residual.as_ptr().add(at(r, v)), count(v));
                        sum = S::add(sum, more);
                    }
                    // The sum goes second, so that a NaN survives the clamp.
                    sum = S::min(high, S::max(low, sum));
                }
                S::store_up_to(out.add(at(r, v)), count(v), sum);
            }
        }
    }
}

/// `acc[r] += sum over k of runs[r][k] * weights[k]`. Takes and returns the accumulators by value:
/// kept in one array across the segments, the compiler would also store them every step.
#[inline(always)]
unsafe fn multiply<S: Simd, const R: usize, const V: usize>(
    mut acc: [[S::V; V]; R],
    runs: [*const f32; R],
    mut weights: *const f32,
    len: usize,
) -> [[S::V; V]; R] {
    unsafe {
        for k in 0..len {
            let w: [S::V; V] = std::array::from_fn(|v| S::load(weights.add(v * S::LANES)));
            weights = weights.add(V * S::LANES);
            for r in 0..R {
                let x = S::splat(*runs[r].add(k));
                for v in 0..V {
                    acc[r][v] = S::fma(x, w[v], acc[r][v]);
                }
            }
        }
        acc
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, term by term in f64.
    #[allow(clippy::too_many_arguments)]
    fn naive(
        w: &[f32],
        b: &[f32],
        outputs: usize,
        channels: usize,
        groups: usize,
        gather: &Gather,
        input: &[f32],
        rows: usize,
    ) -> Vec<f64> {
        let (go, gi, taps) = (outputs / groups, channels / groups, gather.taps);
        let mut out = Vec::new();
        for row in 0..rows {
            let (image, position) = (row / gather.positions, row % gather.positions);
            for o in 0..outputs {
                let mut sum = f64::from(b[o]);
                for t in 0..taps {
                    if let Some(at) = gather.offsets[position * taps + t] {
                        for i in 0..gi {
                            let x = input[image * gather.image + at as usize + o / go * gi + i];
                            sum += f64::from(x) * f64::from(w[(o * gi + i) * taps + t]);
                        }
                    }
                }
                out.push(sum);
            }
        }
        out
    }

    fn noise(len: usize, seed: u64) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        (0..len)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 40) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn equals_the_definition(
            group_outputs in 1usize..40, group_channels in 1usize..30, groups in 1usize..6,
            taps in 1usize..5, positions in 1usize..12, images in 1usize..4, seed in 0u64..1000,
        ) {
            let (outputs, channels) = (group_outputs * groups, group_channels * groups);
            let pixels = positions + taps;
            let offsets = (0..positions * taps)
                .map(|k| (!(k * 7 + seed as usize).is_multiple_of(5)).then(|| ((k % pixels) * channels) as u32))
                .collect();
            let gather = Gather { positions, taps, offsets, image: pixels * channels };
            let rows = positions * images;
            let (w, b) = (noise(outputs * group_channels * taps, seed), noise(outputs, seed + 1));
            let (x, r) = (noise(gather.image * images, seed + 2), noise(rows * outputs, seed + 3));
            let expected = naive(&w, &b, outputs, channels, groups, &gather, &x, rows);
            for level in Level::available() {
                let packed = Packed::new(level, &w, Some(&b), outputs, channels, taps, groups);
                let mut out = vec![f32::NAN; rows * outputs];
                let finish = Finish { residual: Some(&r), low: 0.0, high: 2.0 };
                packed.run(&gather, &x, rows, finish, &mut out);
                for k in 0..out.len() {
                    let want = (expected[k] + f64::from(r[k])).clamp(0.0, 2.0);
                    prop_assert!((f64::from(out[k]) - want).abs() < 1e-4, "{level:?} {k}: {} {want}", out[k]);
                }
            }
        }
    }

    #[test]
    fn weights_may_lie_inputs_first() {
        let (channels, rows) = (9, 14);
        let gather = Gather::rows(channels);
        for outputs in [1, 7, 16, 45] {
            let (w, x) = (noise(outputs * channels, 1), noise(rows * channels, 2));
            let turned: Vec<f32> =
                (0..channels * outputs).map(|k| w[k % outputs * channels + k / outputs]).collect();
            for level in Level::available() {
                let run = |packed: Packed| {
                    let mut out = vec![0.0; rows * outputs];
                    packed.run(&gather, &x, rows, Finish::PLAIN, &mut out);
                    out
                };
                let usual = run(Packed::new(level, &w, None, outputs, channels, 1, 1));
                assert_eq!(run(Packed::of_rows(level, &turned, channels, outputs)), usual);
            }
        }
    }

    #[test]
    fn long_sums_are_split_into_blocks() {
        let (outputs, channels, rows) = (5, 3000, 3);
        let gather = Gather::rows(channels);
        let (w, b, x) =
            (noise(outputs * channels, 1), noise(outputs, 2), noise(rows * channels, 3));
        let expected = naive(&w, &b, outputs, channels, 1, &gather, &x, rows);
        for level in Level::available() {
            let packed = Packed::new(level, &w, Some(&b), outputs, channels, 1, 1);
            assert!(packed.blocks.len() > 2);
            let mut out = vec![0.0; rows * outputs];
            packed.run(&gather, &x, rows, Finish::PLAIN, &mut out);
            for (got, want) in out.iter().zip(&expected) {
                assert!((f64::from(*got) - want).abs() < 1e-3, "{got} {want}");
            }
        }
    }

    #[test]
    fn a_row_does_not_depend_on_its_neighbours() {
        let (outputs, channels, rows) = (37, 70, 29);
        let (w, x) = (noise(outputs * channels, 1), noise(rows * channels, 3));
        let gather = Gather::rows(channels);
        for level in Level::available() {
            let packed = Packed::new(level, &w, None, outputs, channels, 1, 1);
            let mut all = vec![0.0; rows * outputs];
            packed.run(&gather, &x, rows, Finish::PLAIN, &mut all);
            for row in 0..rows {
                let mut one = vec![0.0; outputs];
                packed.run(&gather, &x[row * channels..], 1, Finish::PLAIN, &mut one);
                assert_eq!(one, all[row * outputs..(row + 1) * outputs]);
            }
        }
    }
}
