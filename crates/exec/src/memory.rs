//! Memory of a plan: which buffer holds which value, and running a step in it.

use brickwork_graph::{Kernel, NodeId};
use brickwork_tensor::Buffer;

/// What owns the memory of one or more values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// Data of the caller's.
    Outside(usize),
    /// A buffer of the session.
    Buffer(usize),
}

/// One thing to do.
pub(crate) struct Step {
    pub(crate) kernel: Box<dyn Kernel>,
    pub(crate) inputs: Vec<usize>,
    pub(crate) outputs: Vec<usize>,
    /// Output 0 overwrites input 0.
    pub(crate) in_place: bool,
    /// Fetches that are ready after this step.
    pub(crate) ready: Vec<usize>,
    pub(crate) node: NodeId,
}

/// The memory of all storages.
pub(crate) struct Layout {
    memory: Vec<Memory>,
    /// Elements of each storage.
    pub(crate) lengths: Vec<usize>,
    /// Elements each buffer needs.
    buffers: Vec<usize>,
}

impl Layout {
    /// Gives every storage a buffer but the first `outside`, which are the caller's. A buffer is
    /// free again after the last step that uses it.
    pub(crate) fn assign(steps: &mut [Step], lengths: Vec<usize>, outside: usize) -> Self {
        let mut last = vec![0; lengths.len()];
        for (index, step) in steps.iter().enumerate() {
            step.inputs.iter().chain(&step.outputs).for_each(|&storage| last[storage] = index);
        }
        let mut memory: Vec<Memory> = (0..lengths.len()).map(Memory::Outside).collect();
        let mut buffers: Vec<usize> = Vec::new();
        let mut free: Vec<usize> = Vec::new();
        for (index, step) in steps.iter_mut().enumerate() {
            for (k, &output) in step.outputs.iter().enumerate() {
                let reused = step.inputs.first().copied().filter(|&first| {
                    k == 0
                        && step.kernel.works_in_place()
                        && first >= outside
                        && last[first] == index
                        && lengths[first] == lengths[output]
                        && step.inputs.iter().filter(|&&input| input == first).count() == 1
                });
                if let Some(first) = reused {
                    memory[output] = memory[first];
                    step.in_place = true;
                    continue;
                }
                let buffer = take_buffer(&mut free, &mut buffers, lengths[output]);
                memory[output] = Memory::Buffer(buffer);
            }
            let mut done: Vec<usize> = step.inputs.iter().chain(&step.outputs).copied().collect();
            done.sort_unstable();
            done.dedup();
            for storage in done.into_iter().filter(|&storage| last[storage] == index) {
                let passed_on = step.in_place && storage == step.inputs[0];
                if let Memory::Buffer(buffer) = memory[storage]
                    && !passed_on
                {
                    free.push(buffer);
                }
            }
        }
        Self { memory, lengths, buffers }
    }

    fn buffer_of(&self, storage: usize) -> Option<usize> {
        match self.memory[storage] {
            Memory::Buffer(buffer) => Some(buffer),
            Memory::Outside(_) => None,
        }
    }
}

/// The buffers themselves, used by one plan after the other.
#[derive(Default)]
pub(crate) struct Arena {
    buffers: Vec<Buffer>,
    scratch: Buffer,
}

impl Arena {
    /// Makes room for a plan.
    pub(crate) fn fit(&mut self, layout: &Layout) {
        let count = self.buffers.len().max(layout.buffers.len());
        self.buffers.resize_with(count, Buffer::default);
        for (buffer, &length) in self.buffers.iter_mut().zip(&layout.buffers) {
            buffer.ensure(length);
        }
    }

    /// The elements of a storage.
    pub(crate) fn read<'a>(
        &'a self,
        layout: &Layout,
        storage: usize,
        outside: &[&'a [f32]],
    ) -> &'a [f32] {
        let data: &[f32] = match layout.memory[storage] {
            Memory::Buffer(buffer) => &self.buffers[buffer],
            Memory::Outside(index) => outside[index],
        };
        &data[..layout.lengths[storage]]
    }

    /// Lends the inputs and outputs of a step, and scratch memory. Where the step works in place,
    /// its first input is missing: it is output 0.
    pub(crate) fn with<R>(
        &mut self,
        layout: &Layout,
        step: &Step,
        outside: &[&[f32]],
        work: impl FnOnce(&[&[f32]], &mut [&mut [f32]], &mut Buffer) -> R,
    ) -> R {
        let taken: Vec<usize> = step.outputs.iter().filter_map(|&s| layout.buffer_of(s)).collect();
        let mut outputs: Vec<Buffer> =
            taken.iter().map(|&buffer| std::mem::take(&mut self.buffers[buffer])).collect();
        let mut scratch = std::mem::take(&mut self.scratch);
        let inputs: Vec<&[f32]> = step
            .inputs
            .iter()
            .skip(usize::from(step.in_place))
            .map(|&storage| self.read(layout, storage, outside))
            .collect();
        let mut slices: Vec<&mut [f32]> = outputs
            .iter_mut()
            .zip(&step.outputs)
            .map(|(buffer, &storage)| &mut buffer[..layout.lengths[storage]])
            .collect();
        let result = work(&inputs, &mut slices, &mut scratch);
        for (buffer, output) in taken.into_iter().zip(outputs) {
            self.buffers[buffer] = output;
        }
        self.scratch = scratch;
        result
    }

    /// Runs a step.
    pub(crate) fn run(&mut self, layout: &Layout, step: &Step, outside: &[&[f32]]) {
        self.with(layout, step, outside, |inputs, outputs, scratch| {
            if step.in_place {
                step.kernel.update(outputs[0], inputs);
            } else {
                step.kernel.run(inputs, outputs, scratch);
            }
        });
    }
}

/// The smallest free buffer that is large enough, else the largest free one grown, else a new one.
fn take_buffer(free: &mut Vec<usize>, buffers: &mut Vec<usize>, length: usize) -> usize {
    let fits = |&buffer: &usize| buffers[buffer] >= length;
    let best = free.iter().copied().filter(fits).min_by_key(|&buffer| (buffers[buffer], buffer));
    let best = best.or_else(|| free.iter().copied().max_by_key(|&b| (buffers[b], b)));
    match best {
        Some(buffer) => {
            free.retain(|&other| other != buffer);
            buffers[buffer] = buffers[buffer].max(length);
            buffer
        }
        None => {
            buffers.push(length);
            buffers.len() - 1
        }
    }
}
