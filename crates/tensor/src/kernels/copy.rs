//! Copying between memory orders: transposes, slices, padding, concatenation.

use rayon::prelude::*;

use super::whole_rows;
use crate::nd::volume;

/// Reads `source` at `offset` along `strides` into the dense `out` of `extents`, both outermost first.
///
/// # Panics
/// If the walk leaves `source` or `out` does not match `extents`.
pub fn gather_strided(
    source: &[f32],
    offset: usize,
    extents: &[usize],
    strides: &[isize],
    out: &mut [f32],
) {
    assert_eq!(out.len(), volume(extents), "output length");
    let (extents, strides) = merge(extents, strides);
    if out.is_empty() {
        return;
    }
    let last = extents.len() - 1;
    let (inner, stride) = (extents[last], strides[last]);
    let (rows, step) = if last > 0 { (extents[last - 1], strides[last - 1]) } else { (1, 0) };
    let together = (1_usize << 14).div_ceil(inner);
    let task = |(index, chunk): (usize, &mut [f32])| {
        let (mut row, mut rest) = (index * together, chunk);
        while !rest.is_empty() {
            let count = (rows - row % rows).min(rest.len() / inner);
            let (plane, more) = rest.split_at_mut(count * inner);
            let at = offset_of(row, &extents[..last], &strides) + offset as isize;
            copy_plane(source, at, [step, stride], inner, plane);
            (row, rest) = (row + count, more);
        }
    };
    if out.len() <= together * inner {
        return task((0, out));
    }
    out.par_chunks_mut(together * inner).enumerate().for_each(task);
}

/// Rows of a plane that is turned which are written together, so that they stay in cache.
const ROWS: usize = 64;

/// Copies a plane of rows of `inner` elements, which starts at `at` of `source`; `step` and `stride` lie between its rows
/// and the elements of a row.
fn copy_plane(
    source: &[f32],
    at: isize,
    [step, stride]: [isize; 2],
    inner: usize,
    out: &mut [f32],
) {
    if stride == 1 {
        for (row, out) in out.chunks_mut(inner).enumerate() {
            out.copy_from_slice(&source[(at + row as isize * step) as usize..][..inner]);
        }
    } else if step == 1 {
        for (block, out) in out.chunks_mut(ROWS * inner).enumerate() {
            let at = at + (block * ROWS) as isize;
            for k in 0..inner {
                let column = &source[(at + k as isize * stride) as usize..][..out.len() / inner];
                out.chunks_exact_mut(inner).zip(column).for_each(|(row, &x)| row[k] = x);
            }
        }
    } else {
        for (row, out) in out.chunks_mut(inner).enumerate() {
            let at = at + row as isize * step;
            for (k, y) in out.iter_mut().enumerate() {
                *y = source[(at + k as isize * stride) as usize];
            }
        }
    }
}

/// The way back of [`gather_strided`]: `out` becomes zero but for the elements that were read, each
/// of which gets the sum of the `gradient`s of its copies.
///
/// # Panics
/// If the walk leaves `out` or `gradient` does not match `extents`.
pub fn gather_strided_backward(
    gradient: &[f32],
    offset: usize,
    extents: &[usize],
    strides: &[isize],
    out: &mut [f32],
) {
    assert_eq!(gradient.len(), volume(extents), "gradient length");
    // Where the outermost axis is walked as a whole, its parts are summed side by side.
    if let [outer, inner @ ..] = extents
        && let [stride, steps @ ..] = strides
        && *stride > 0
        && outer * *stride as usize == out.len()
    {
        let parts = gradient.par_chunks(volume(inner).max(1));
        let sums = out.par_chunks_mut(*stride as usize).zip_eq(parts);
        return sums.for_each(|(out, part)| add_strided(part, offset, inner, steps, out));
    }
    add_strided(gradient, offset, extents, strides, out);
}

fn add_strided(
    source: &[f32],
    offset: usize,
    extents: &[usize],
    strides: &[isize],
    out: &mut [f32],
) {
    assert_eq!(source.len(), volume(extents), "source length");
    let (extents, strides) = merge(extents, strides);
    out.fill(0.0);
    let last = extents.len() - 1;
    let (inner, stride) = (extents[last], strides[last]);
    for (row, run) in source.chunks(inner.max(1)).enumerate() {
        let at = offset_of(row, &extents[..last], &strides) + offset as isize;
        match stride {
            0 => out[at as usize] += run.iter().sum::<f32>(),
            1 => {
                let sums = &mut out[at as usize..][..inner];
                sums.iter_mut().zip(run).for_each(|(sum, x)| *sum += x);
            }
            _ => {
                for (k, &x) in run.iter().enumerate() {
                    out[(at + k as isize * stride) as usize] += x;
                }
            }
        }
    }
}

/// Sets all elements, on all cores.
pub fn fill(out: &mut [f32], value: f32) {
    out.par_chunks_mut(1 << 16).for_each(|out| out.fill(value));
}

/// Writes the dense `source` of `extents` into `out` at `offset` along `strides`.
///
/// # Panics
/// If the walk leaves `out` or `source` does not match `extents`.
pub fn scatter_strided(
    source: &[f32],
    extents: &[usize],
    strides: &[isize],
    offset: usize,
    out: &mut [f32],
) {
    assert_eq!(source.len(), volume(extents), "source length");
    let (extents, strides) = merge(extents, strides);
    if let ([outer, inner @ ..], [stride, steps @ ..]) = (&extents[..], &strides[..])
        && !inner.is_empty()
        && let Some(to) = usize::try_from(*stride).ok().filter(|&to| to > 0)
        && let Some(span) = span(inner, steps)
    {
        // Parts that lie one after the other are written side by side.
        let (start, within) = (offset - offset % to, offset % to);
        if within + span < to && start + outer * to <= out.len() {
            let from = volume(inner).max(1);
            let together = (1_usize << 14).div_ceil(from);
            let parts = out[start..][..outer * to].par_chunks_mut(to * together);
            return parts.zip_eq(source.par_chunks(from * together)).for_each(|(out, parts)| {
                for (out, part) in out.chunks_mut(to).zip(parts.chunks(from)) {
                    write_strided(part, inner, steps, within, out);
                }
            });
        }
    }
    write_strided(source, &extents, &strides, offset, out);
}

/// How far a walk that only goes forwards gets.
fn span(extents: &[usize], strides: &[isize]) -> Option<usize> {
    let steps = extents.iter().zip(strides);
    steps.map(|(extent, &stride)| Some((extent - 1) * usize::try_from(stride).ok()?)).sum()
}

fn write_strided(
    source: &[f32],
    extents: &[usize],
    strides: &[isize],
    offset: usize,
    out: &mut [f32],
) {
    let last = extents.len() - 1;
    let (inner, stride) = (extents[last], strides[last]);
    for (row, run) in source.chunks(inner.max(1)).enumerate() {
        let at = offset_of(row, &extents[..last], strides) + offset as isize;
        if stride == 1 {
            out[at as usize..][..inner].copy_from_slice(run);
        } else {
            for (k, &x) in run.iter().enumerate() {
                out[(at + k as isize * stride) as usize] = x;
            }
        }
    }
}

/// Index `k` of the middle axis of `out` `[outer, indices, inner]` comes from index `indices[k]` of
/// `input` `[outer, extent, inner]`.
///
/// # Panics
/// If an index lies outside or the lengths do not fit.
pub fn take(input: &[f32], [extent, inner]: [usize; 2], indices: &[usize], out: &mut [f32]) {
    let (from, to) = check_taken(input, [extent, inner], indices, out);
    out.par_chunks_mut(to).zip_eq(input.par_chunks(from)).for_each(|(out, block)| {
        if inner == 1 {
            return out.iter_mut().zip(indices).for_each(|(out, &index)| *out = block[index]);
        }
        for (run, &index) in out.chunks_mut(inner).zip(indices) {
            run.copy_from_slice(&block[index * inner..][..inner]);
        }
    });
}

/// The way back of [`take`]: `out` `[outer, extent, inner]` gets the sum of the `gradient`s
/// `[outer, indices, inner]` of its copies.
///
/// # Panics
/// If an index lies outside or the lengths do not fit.
pub fn take_backward(
    gradient: &[f32],
    [extent, inner]: [usize; 2],
    indices: &[usize],
    out: &mut [f32],
) {
    let (from, to) = check_taken(out, [extent, inner], indices, gradient);
    out.par_chunks_mut(from).zip_eq(gradient.par_chunks(to)).for_each(|(out, block)| {
        out.fill(0.0);
        for (run, &index) in block.chunks(inner).zip(indices) {
            let sums = &mut out[index * inner..][..inner];
            sums.iter_mut().zip(run).for_each(|(sum, x)| *sum += x);
        }
    });
}

/// The lengths of a block of `whole` `[outer, extent, inner]` and of `taken` `[outer, indices, inner]`.
fn check_taken(
    whole: &[f32],
    [extent, inner]: [usize; 2],
    indices: &[usize],
    taken: &[f32],
) -> (usize, usize) {
    assert!(indices.iter().all(|&index| index < extent), "index outside");
    let (from, to) = (volume(&[extent, inner]), volume(&[indices.len(), inner]));
    assert_eq!(whole_rows(whole.len(), from), whole_rows(taken.len(), to), "length");
    (from, to)
}

fn offset_of(mut row: usize, extents: &[usize], strides: &[isize]) -> isize {
    let mut at = 0;
    for k in (0..extents.len()).rev() {
        at += (row % extents[k]) as isize * strides[k];
        row /= extents[k];
    }
    at
}

/// Drops axes of extent 1 and merges neighbours that are walked as one.
fn merge(extents: &[usize], strides: &[isize]) -> (Vec<usize>, Vec<isize>) {
    assert_eq!(extents.len(), strides.len(), "strides");
    let (mut out_extents, mut out_strides): (Vec<usize>, Vec<isize>) = (Vec::new(), Vec::new());
    for (&extent, &stride) in extents.iter().zip(strides) {
        if extent == 1 {
            continue;
        }
        match (out_extents.last_mut(), out_strides.last_mut()) {
            (Some(last), Some(step)) if *step == stride * extent as isize => {
                *last *= extent;
                *step = stride;
            }
            _ => {
                out_extents.push(extent);
                out_strides.push(stride);
            }
        }
    }
    if out_extents.is_empty() {
        (out_extents, out_strides) = (vec![1], vec![1]);
    }
    (out_extents, out_strides)
}

#[cfg(test)]
mod tests {
    use super::super::testing::noise;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_walk_reads_what_its_strides_say(
            extents in [1usize..6, 1usize..200, 1usize..8, 1usize..80],
            order in Just([0usize, 1, 2, 3]).prop_shuffle(), backwards in 0usize..5,
        ) {
            // The strides of a dense source whose axes lie in another order, one of them perhaps backwards.
            let (mut strides, mut next, mut offset) = ([0isize; 4], 1isize, 0usize);
            for &axis in order.iter().rev() {
                strides[axis] = next;
                next *= extents[axis] as isize;
            }
            if backwards < 4 {
                offset = (extents[backwards] - 1) * strides[backwards] as usize;
                strides[backwards] = -strides[backwards];
            }
            let source = noise(volume(&extents), 1);
            let mut out = vec![0.0; source.len()];
            gather_strided(&source, offset, &extents, &strides, &mut out);
            for (row, &found) in out.iter().enumerate() {
                let at = offset_of(row, &extents, &strides) + offset as isize;
                prop_assert_eq!(found, source[at as usize]);
            }
            let mut back = vec![0.0; source.len()];
            scatter_strided(&out, &extents, &strides, offset, &mut back);
            prop_assert_eq!(back, source);
        }
    }

    #[test]
    fn gather_and_scatter_are_inverse() {
        let source: Vec<f32> = (0..24).map(|k| k as f32).collect();
        let (extents, strides) = ([4, 2, 3], [1, 12, 4]);
        let mut moved = vec![0.0; 24];
        gather_strided(&source, 0, &extents, &strides, &mut moved);
        assert_eq!(moved[..6], [0.0, 4.0, 8.0, 12.0, 16.0, 20.0]);
        let mut back = vec![0.0; 24];
        scatter_strided(&moved, &extents, &strides, 0, &mut back);
        assert_eq!(back, source);
    }

    #[test]
    fn the_way_back_sums_over_copies() {
        // Each of two rows of two: its first element, three times.
        let gradient = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut out = [9.0; 4];
        gather_strided_backward(&gradient, 0, &[2, 3], &[2, 0], &mut out);
        assert_eq!(out, [6.0, 0.0, 15.0, 0.0]);
        // Backwards, every other one of five.
        let mut out = [9.0; 5];
        gather_strided_backward(&[1.0, 2.0], 3, &[2], &[-2], &mut out);
        assert_eq!(out, [0.0, 2.0, 0.0, 1.0, 0.0]);
        // Everything, transposed and repeated.
        let mut out = [9.0; 4];
        gather_strided_backward(&[1.0; 8], 0, &[2, 2, 2], &[0, 1, 2], &mut out);
        assert_eq!(out, [2.0; 4]);
    }

    #[test]
    fn taking_twice_sums_twice() {
        let input = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut out = [0.0; 8];
        take(&input, [3, 1], &[2, 0, 2, 1], &mut out);
        assert_eq!(out, [3.0, 1.0, 3.0, 2.0, 6.0, 4.0, 6.0, 5.0]);
        let mut back = [9.0; 6];
        take_backward(&out, [3, 1], &[2, 0, 2, 2], &mut back);
        assert_eq!(back, [1.0, 0.0, 8.0, 4.0, 0.0, 17.0]);
    }

    #[test]
    fn walks_backwards() {
        let mut out = [0.0; 3];
        gather_strided(&[1.0, 2.0, 3.0], 2, &[3], &[-1], &mut out);
        assert_eq!(out, [3.0, 2.0, 1.0]);
    }
}
