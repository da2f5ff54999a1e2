//! How scores answer to weights, image by image.

use std::sync::Arc;

use brickwork_exec::{ExecError, Role, Target, Training};
use brickwork_graph::{Graph, Patch};
use brickwork_tensor::Tensor;
use rayon::prelude::*;

use crate::error::Error;
use crate::progress::Progress;

/// Images that a thread takes at a time.
const CHUNK: usize = 8;

/// The constants of a network that are learned, one after the other.
pub(super) struct Learned {
    /// One for every thread, all alike.
    trainings: Vec<Training>,
    /// Of every parameter where it starts and how long it is: 0 if it is not learned.
    places: Vec<(usize, usize)>,
    count: usize,
}

impl Learned {
    /// Those of `graph` with the given names.
    ///
    /// # Errors
    /// If a node has no backward pass.
    pub(super) fn new(graph: &Arc<Graph>, names: &[String]) -> Result<Self, ExecError> {
        let learns = |name: &str| names.iter().any(|own| own == name);
        let one = || Training::new(graph.clone(), &[graph.logits()], learns).settled();
        let mut trainings: Vec<Training> =
            (0..rayon::current_num_threads()).map(|_| one()).collect();
        trainings[0].check(1)?;
        let mut count = 0;
        let place = |parameter: &brickwork_exec::Parameter| {
            let length = if parameter.role == Role::Learned { parameter.data.len() } else { 0 };
            count += length;
            (count - length, length)
        };
        let places = trainings[0].parameters().iter().map(place).collect();
        Ok(Self { trainings, places, count })
    }

    /// How many numbers there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// For every one of `images` `[n, c, h, w]` the gradient of `v_i' z_i`, for `directions` `v` `[n, k]`
    /// of its scores `z`: `[n, count]`.
    pub(super) fn slopes(
        &mut self,
        images: &Tensor,
        directions: &Tensor,
        progress: &dyn Progress,
    ) -> Result<Tensor, ExecError> {
        let (n, count, places) = (images.shape()[0], self.count, &self.places);
        let (each, classes) = (images.data().len() / n, directions.shape()[1]);
        let mut slopes = vec![0.0f32; n * count];
        progress.begin("following scores back to weights", n as u64);
        let turn = CHUNK * self.trainings.len();
        let sides = images.data().chunks(turn * each).zip(directions.data().chunks(turn * classes));
        for (rows, (images, directions)) in slopes.chunks_mut(turn * count).zip(sides) {
            let shares = (
                &mut self.trainings,
                rows.par_chunks_mut(CHUNK * count),
                images.par_chunks(CHUNK * each),
                directions.par_chunks(CHUNK * classes),
            );
            shares.into_par_iter().try_for_each(|(training, rows, images, directions)| {
                let sides = images.chunks(each).zip(directions.chunks(classes));
                let mut rows = rows.chunks_mut(count).zip(sides);
                rows.try_for_each(|(row, (image, v))| back(training, places, (image, v), row))
            })?;
            progress.step((images.len() / each) as u64);
        }
        Ok(Tensor::new([n, count], slopes))
    }

    /// The network with its learned constants moved by `length` times `step`.
    ///
    /// # Errors
    /// If the graph breaks an invariant, which would be a bug.
    pub(super) fn moved(&self, step: &[f32], length: f32) -> Result<Graph, Error> {
        let training = &self.trainings[0];
        let mut patch = Patch::new("aligning scores");
        for (parameter, &(start, len)) in training.parameters().iter().zip(&self.places) {
            if len > 0 {
                let sides = parameter.data.iter().zip(&step[start..start + len]);
                let data: Vec<f32> = sides.map(|(w, step)| w + length * step).collect();
                let data = Tensor::new(parameter.shape.clone(), data);
                patch.constant(parameter.value, Arc::new(data));
            }
        }
        Ok(patch.apply(training.graph())?)
    }
}

/// Writes the gradient of one image's scores, in direction `v`, into `row`.
fn back(
    training: &mut Training,
    places: &[(usize, usize)],
    (image, v): (&[f32], &[f32]),
    row: &mut [f32],
) -> Result<(), ExecError> {
    let pull = |targets: &mut [Target<'_>]| {
        targets[0].gradient.copy_from_slice(v);
        true
    };
    training.step(1, &[image], 0, pull, |learned| {
        for parameter in learned {
            let (start, len) = places[parameter.index];
            row[start..start + len].copy_from_slice(parameter.gradient);
        }
    })
}
