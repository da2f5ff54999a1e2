//! Gradients of constants, sample by sample.
//!
//! A batch adds up what its samples ask of a constant. To tell them apart, a node's backward pass is
//! planned twice: for the batch, towards the operands that belong to the samples, and for a single
//! sample, towards the constants, which then runs once for each.

use std::ops::Range;

use brickwork_graph::{Backward, Epilogue, Feed, Kernel, Lower, Node, NodeId, Reads};
use brickwork_tensor::Buffer;

use super::plan::{Operand, Planner};
use crate::error::ExecError;

impl Planner<'_, '_> {
    /// Takes from `slots` those of constants, if samples are to be told apart.
    pub(super) fn take_constants(&self, node: &Node, slots: &mut [bool]) -> Vec<bool> {
        let graph = self.request.graph;
        let take = |(slot, input): (&mut bool, &Option<_>)| {
            let constant = input.is_some_and(|value| graph.value(value).constant.is_some());
            self.request.by_sample && constant && std::mem::take(slot)
        };
        slots.iter_mut().zip(&node.inputs).map(take).collect()
    }

    /// The backward pass of node `id` to its constants in `slots`, for each sample; `operands` lie as was
    /// agreed on for the batch.
    pub(super) fn alone(
        &self,
        id: NodeId,
        slots: Vec<bool>,
        operands: &[Option<Operand>],
    ) -> Result<Backward, ExecError> {
        let graph = self.request.graph;
        let node = graph.node(id);
        let feed = |operand: &Option<Operand>| match operand {
            Some(operand) => {
                let extents = graph.value(operand.value).shape.at(1);
                Feed::Computed(extents, operand.order.clone())
            }
            None => Feed::Absent,
        };
        let outputs: Vec<Vec<usize>> =
            node.outputs.iter().map(|&out| graph.value(out).shape.at(1)).collect();
        let feeds = operands.iter().map(feed).collect();
        let mut lower = Lower::new(feeds, outputs.clone(), Epilogue::default(), self.request.level)
            .for_training(slots, self.fixed(id), id.index() as u64)
            .settled(self.request.settled);
        let trained = node.op.train(&mut lower).map_err(|error| ExecError::of(node, &error))?;
        let mut results = node.outputs.iter().zip(&trained.forward.orders).zip(&outputs);
        let agreed = lower.wanted().iter().all(Option::is_none)
            && operands.iter().flatten().all(|operand| self.samples_lie_apart(operand))
            && results.all(|((&out, order), extents)| {
                self.place(out).is_ok_and(|place| place.order.same_places(order, extents))
            });
        let by_sample = self.each_sample(trained.backward, operands).filter(|_| agreed);
        by_sample.ok_or_else(|| ExecError::Node {
            node: node.name.clone(),
            kind: node.op.kind().to_owned(),
            problem: "its gradients cannot be told apart by sample".to_owned(),
        })
    }

    /// A single sample's pass for each of the batch; `None` if it needs what the batch shares.
    fn each_sample(&self, pass: Backward, operands: &[Option<Operand>]) -> Option<Backward> {
        let Backward::Run { kernel, reads, gives } = pass else { return Some(pass) };
        let mut by_sample = Vec::new();
        for read in &reads {
            match *read {
                Reads::Gradient(_) | Reads::Result(_) => by_sample.push(true),
                Reads::Operand(slot) => {
                    by_sample
                        .extend(operands[slot].iter().map(|operand| !self.is_constant(operand)));
                }
                Reads::Kept(_) | Reads::Draw => return None,
            }
        }
        let kernel = Box::new(EachSample { kernel, samples: self.request.batch, by_sample });
        Some(Backward::Run { kernel, reads, gives })
    }

    fn is_constant(&self, operand: &Operand) -> bool {
        self.request.graph.value(operand.value).constant.is_some()
    }

    /// Whether one sample of an operand after the other lies in memory, each as it would alone.
    fn samples_lie_apart(&self, operand: &Operand) -> bool {
        let (shape, batch) = (&self.request.graph.value(operand.value).shape, self.request.batch);
        let (one, all) = (shape.at(1), shape.at(batch));
        let each: usize = one.iter().product();
        let first = |extents: &[usize]| extents.first().copied().unwrap_or(0);
        self.is_constant(operand)
            || first(&all) == batch * first(&one)
                && all[1..] == one[1..]
                && operand.order.strides(&all)[0] * first(&one) == each
    }
}

/// Runs a kernel for one sample after the other.
struct EachSample {
    kernel: Box<dyn Kernel>,
    samples: usize,
    /// Whether each input belongs to the samples; others are the same for all.
    by_sample: Vec<bool>,
}

impl EachSample {
    /// Where a sample lies in so many elements of all.
    fn range(&self, length: usize, sample: usize) -> Range<usize> {
        let each = length / self.samples;
        sample * each..(sample + 1) * each
    }
}

impl Kernel for EachSample {
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], scratch: &mut Buffer) {
        for sample in 0..self.samples {
            let mut own = inputs.to_vec();
            for (data, _) in own.iter_mut().zip(&self.by_sample).filter(|(_, splits)| **splits) {
                *data = &data[self.range(data.len(), sample)];
            }
            let mut parts: Vec<&mut [f32]> = Vec::with_capacity(outputs.len());
            for output in outputs.iter_mut() {
                let range = self.range(output.len(), sample);
                parts.push(&mut output[range]);
            }
            self.kernel.run(&own, &mut parts, scratch);
        }
    }
}
