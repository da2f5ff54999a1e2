//! How scores answer to weights, image by image.

use std::ops::Range;
use std::sync::Arc;

use brickwork_exec::{ExecError, Parameter, Role, Target, Training};
use brickwork_graph::Graph;
use brickwork_tensor::Tensor;
use rayon::prelude::*;

use crate::model::error::Error;
use crate::model::progress::Progress;

/// Images that a thread takes at a time.
const CHUNK: usize = 8;

/// The constants of a network that are learned, one after the other.
pub(super) struct Learned {
    /// One for every thread, all alike.
    trainings: Vec<Training>,
    /// Where every parameter lies among what is learned: nowhere if it is not.
    places: Vec<Range<usize>>,
}

impl Learned {
    /// Those of `graph` with the given names.
    ///
    /// # Errors
    /// If a node has no backward pass.
    pub(super) fn new(graph: &Arc<Graph>, names: &[String]) -> Result<Self, ExecError> {
        let learns = |name: &str| names.iter().any(|own| own == name);
        let one = || Training::new(graph.clone(), &[graph.logits()], learns).settled().by_sample();
        let mut trainings: Vec<Training> =
            (0..rayon::current_num_threads()).map(|_| one()).collect();
        trainings[0].check(CHUNK)?;
        let mut end = 0;
        let place = |parameter: &Parameter| {
            let start = end;
            end += if parameter.role == Role::Learned { parameter.data.len() } else { 0 };
            start..end
        };
        let places = trainings[0].parameters().iter().map(place).collect();
        Ok(Self { trainings, places })
    }

    /// How many numbers there are.
    pub(super) fn count(&self) -> usize {
        self.places.last().map_or(0, |place| place.end)
    }

    /// For every one of `images` `[n, c, h, w]` the gradient of `v' z` with respect to the `chosen`
    /// numbers, in order: `[n, chosen]`. `direct` is told an image and its scores `z`, writes `v`, and
    /// gives a number, all of which are returned too. `title` is what progress is called.
    ///
    /// # Errors
    /// If a node cannot run, or the work is stopped.
    pub(super) fn slopes(
        &mut self,
        images: &Tensor,
        chosen: &[usize],
        direct: impl Fn(usize, &[f32], &mut [f32]) -> f32 + Sync,
        title: &str,
        progress: &dyn Progress,
    ) -> Result<(Tensor, Vec<f32>), Error> {
        let (n, width, places) = (images.shape()[0], chosen.len(), &self.places);
        let each = images.data().len() / n;
        let (mut slopes, mut numbers) = (vec![0.0f32; n * width], vec![0.0f32; n]);
        progress.begin(title, n as u64);
        let turn = CHUNK * self.trainings.len();
        let sides = slopes.chunks_mut(turn * width).zip(numbers.chunks_mut(turn));
        for (k, (rows, numbers)) in sides.enumerate() {
            let first = k * turn;
            let images = &images.data()[first * each..][..numbers.len() * each];
            let shares = (
                &mut self.trainings,
                rows.par_chunks_mut(CHUNK * width),
                numbers.par_chunks_mut(CHUNK),
                images.par_chunks(CHUNK * each),
            );
            let shares = shares.into_par_iter().enumerate();
            shares.try_for_each(|(share, (training, rows, numbers, images))| {
                let first = first + share * CHUNK;
                let direct = |k: usize, z: &[f32], v: &mut [f32]| direct(first + k, z, v);
                back(training, places, chosen, images, direct, rows, numbers)
            })?;
            progress.advance(numbers.len() as u64)?;
        }
        Ok((Tensor::new([n, width], slopes), numbers))
    }

    /// Moves the `chosen` numbers by `length` times `step`.
    pub(super) fn advance(&mut self, chosen: &[usize], step: &[f32], length: f32) {
        for training in &mut self.trainings {
            for (parameter, place) in training.parameters_mut().iter_mut().zip(&self.places) {
                let own = within(chosen, place);
                for (&at, step) in chosen[own.clone()].iter().zip(&step[own]) {
                    parameter.data[at - place.start] += length * step;
                }
            }
        }
    }

    /// The network as it is now.
    ///
    /// # Errors
    /// If the graph breaks an invariant, which would be a bug.
    pub(super) fn graph(&self) -> Result<Arc<Graph>, Error> {
        Ok(Arc::new(self.trainings[0].trained()?))
    }
}

/// Which of the `chosen` numbers lie in a place.
fn within(chosen: &[usize], place: &Range<usize>) -> Range<usize> {
    let before = |end: usize| chosen.partition_point(|&at| at < end);
    before(place.start)..before(place.end)
}

/// Writes the gradients of some images' scores into `rows` `[images, chosen]`, and what `direct` gives into
/// `numbers`.
fn back(
    training: &mut Training,
    places: &[Range<usize>],
    chosen: &[usize],
    images: &[f32],
    direct: impl Fn(usize, &[f32], &mut [f32]) -> f32,
    rows: &mut [f32],
    numbers: &mut [f32],
) -> Result<(), ExecError> {
    let count = numbers.len();
    let pull = |targets: &mut [Target<'_>]| {
        let (z, v) = (targets[0].data, &mut targets[0].gradient);
        let classes = z.len() / count;
        let sides = z.chunks(classes).zip(v.chunks_mut(classes)).zip(&mut *numbers);
        sides.enumerate().for_each(|(k, ((z, v), number))| *number = direct(k, z, v));
        true
    };
    training.step(count, &[images], 0, pull, |learned| {
        for parameter in learned {
            let place = &places[parameter.index];
            let own = within(chosen, place);
            let gradients = parameter.gradient.chunks(place.len());
            for (row, gradient) in rows.chunks_mut(chosen.len()).zip(gradients) {
                let sides = row[own.clone()].iter_mut().zip(&chosen[own.clone()]);
                sides.for_each(|(slope, &at)| *slope = gradient[at - place.start]);
            }
        }
    })
}
