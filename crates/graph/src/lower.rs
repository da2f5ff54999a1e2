//! From an operator to the code that runs it.

use std::any::Any;
use std::sync::Arc;

use brickwork_tensor::kernels::pointwise::Pointwise;
use brickwork_tensor::{Buffer, Level, Order, Tensor};

use crate::error::OpError;

/// The running form of a node, for fixed shapes and constants.
///
/// Inputs are the computed operands in slot order (then the residual, if one was absorbed);
/// every slice is dense in the order agreed while lowering.
pub trait Kernel: Send + Sync {
    /// Computes the outputs. `scratch` is the kernel's own to grow and use.
    fn run(&self, inputs: &[&[f32]], outputs: &mut [&mut [f32]], scratch: &mut Buffer);

    /// Whether the kernel can also work in place on its first input.
    fn works_in_place(&self) -> bool {
        false
    }

    /// Turns the first input into output 0; `others` are the remaining inputs.
    fn update(&self, first: &mut [f32], others: &[&[f32]]) {
        let _ = (first, others);
        unreachable!("only called on kernels that work in place");
    }
}

/// An operand at run time.
#[derive(Clone, Debug)]
pub enum Feed<'a> {
    /// Missing.
    Absent,
    /// A constant, row-major.
    Constant(&'a Arc<Tensor>),
    /// Computed: extents for this batch and order in memory.
    Computed(Vec<usize>, Order),
}

/// What a kernel does to its result before storing it, in this order: scale and shift per
/// channel, add a value of the same shape, apply a function.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Epilogue {
    /// `scale[c] * y + shift[c]` over the output's channels.
    pub affine: Option<(Vec<f32>, Vec<f32>)>,
    /// Whether another value is added; it comes as the last input, in the output's order.
    pub residual: bool,
    /// The function applied last.
    pub pointwise: Option<Pointwise>,
}

/// What an operator is told, and what it asks for, while it is lowered.
pub struct Lower<'a> {
    feeds: Vec<Feed<'a>>,
    outputs: Vec<Vec<usize>>,
    wanted: Vec<Option<Order>>,
    epilogue: Epilogue,
    level: Level,
    typical_batch: usize,
    prepared: Option<&'a mut Prepared>,
    /// In training, whether each slot's gradient is needed, the constants that stay as they are, and
    /// a number of the node's own.
    needed: Vec<bool>,
    fixed: Vec<Option<&'a Arc<Tensor>>>,
    salt: u64,
    settled: bool,
}

/// What a node prepared once and uses for every batch size: packed weights.
#[derive(Default)]
pub struct Prepared(Option<Arc<dyn Any + Send + Sync>>);

/// The result of lowering.
pub struct Lowered {
    /// What to do.
    pub step: Step,
    /// Order of each output in memory.
    pub orders: Vec<Order>,
}

/// How a node runs.
pub enum Step {
    /// Output 0 is input 0's memory under another shape or order.
    View,
    /// Code.
    Run(Box<dyn Kernel>),
}

impl Lowered {
    /// A kernel with one output.
    pub fn kernel(kernel: impl Kernel + 'static, order: Order) -> Self {
        Self { step: Step::Run(Box::new(kernel)), orders: vec![order] }
    }

    /// No code: output 0 is input 0's memory, in `order`.
    pub fn view(order: Order) -> Self {
        Self { step: Step::View, orders: vec![order] }
    }
}

impl<'a> Lower<'a> {
    /// Starts lowering a node with these operands and outputs (extents for this batch).
    pub fn new(
        feeds: Vec<Feed<'a>>,
        outputs: Vec<Vec<usize>>,
        epilogue: Epilogue,
        level: Level,
    ) -> Self {
        let wanted = vec![None; feeds.len()];
        Self {
            feeds,
            outputs,
            wanted,
            epilogue,
            level,
            typical_batch: 1,
            prepared: None,
            needed: Vec::new(),
            fixed: Vec::new(),
            salt: 0,
            settled: false,
        }
    }

    /// Lowers for training: says whether each slot's gradient is needed and which constants stay as
    /// they are, and gives the node a number of its own to draw random numbers by.
    pub fn for_training(
        mut self,
        needed: Vec<bool>,
        fixed: Vec<Option<&'a Arc<Tensor>>>,
        salt: u64,
    ) -> Self {
        (self.needed, self.fixed, self.salt) = (needed, fixed, salt);
        self
    }

    /// Lowers for gradients of the network as it is in inference: nothing is drawn at random.
    pub fn settled(self, settled: bool) -> Self {
        Self { settled, ..self }
    }

    /// Whether gradients are those of the network as it is in inference.
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// The constant in `slot`, if one stands there that training, too, leaves as it is.
    pub fn fixed(&self, slot: usize) -> Option<&'a Arc<Tensor>> {
        let kept = self.fixed.get(slot).copied().flatten();
        kept.or_else(|| self.optional_constant(slot))
    }

    /// Whether the gradient of the operand in `slot` is needed.
    pub fn needs(&self, slot: usize) -> bool {
        self.needed.get(slot).copied().unwrap_or(false)
    }

    /// Those of `slots` whose gradient is needed.
    pub fn needed(&self, slots: impl IntoIterator<Item = usize>) -> Vec<usize> {
        slots.into_iter().filter(|&slot| self.needs(slot)).collect()
    }

    /// A number that no other node of the graph has.
    pub fn salt(&self) -> u64 {
        self.salt
    }

    /// Says how many samples usually run at a time.
    pub fn for_batches_of(mut self, samples: usize) -> Self {
        self.typical_batch = samples;
        self
    }

    /// Keeps what the operator prepares in `prepared`, for the next batch size.
    pub fn keeping(mut self, prepared: &'a mut Prepared) -> Self {
        self.prepared = Some(prepared);
        self
    }

    /// What `make` makes, or what it made when this node was lowered before. An operator calls
    /// this at most once.
    pub fn once<T: Any + Send + Sync>(&mut self, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(Prepared(Some(known))) = &self.prepared
            && let Ok(known) = known.clone().downcast::<T>()
        {
            return known;
        }
        let made = Arc::new(make());
        if let Some(prepared) = &mut self.prepared {
            prepared.0 = Some(made.clone());
        }
        made
    }

    /// The instruction set to use.
    pub fn level(&self) -> Level {
        self.level
    }

    /// How many samples usually run at a time. What an operator chooses by this holds for every
    /// batch, so that results do not depend on the batch at hand.
    pub fn typical_batch(&self) -> usize {
        self.typical_batch
    }

    /// Number of slots.
    pub fn slots(&self) -> usize {
        self.feeds.len()
    }

    /// The operand in `slot`.
    pub fn feed(&self, slot: usize) -> &Feed<'a> {
        self.feeds.get(slot).unwrap_or(&Feed::Absent)
    }

    /// Extents of the operand in `slot`, whether constant or computed.
    ///
    /// # Errors
    /// If it is missing.
    pub fn extents(&self, slot: usize) -> Result<Vec<usize>, OpError> {
        match self.feed(slot) {
            Feed::Absent => Err(OpError::new(format!("operand {slot} is missing"))),
            Feed::Constant(tensor) => Ok(tensor.shape().to_vec()),
            Feed::Computed(extents, _) => Ok(extents.clone()),
        }
    }

    /// The constant in `slot`.
    ///
    /// # Errors
    /// If it is missing or computed.
    pub fn constant(&self, slot: usize) -> Result<&'a Arc<Tensor>, OpError> {
        match self.feed(slot) {
            Feed::Constant(tensor) => Ok(tensor),
            _ => Err(OpError::new(format!("operand {slot} must be a constant"))),
        }
    }

    /// The constant in `slot`, if one stands there.
    pub fn optional_constant(&self, slot: usize) -> Option<&'a Arc<Tensor>> {
        match self.feed(slot) {
            Feed::Constant(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// The order the operand in `slot` now has in memory; row-major for constants.
    pub fn order(&self, slot: usize) -> Order {
        match (&self.wanted[slot], self.feed(slot)) {
            (Some(order), _) | (None, Feed::Computed(_, order)) => order.clone(),
            (None, Feed::Constant(tensor)) => Order::row_major(tensor.rank()),
            (None, Feed::Absent) => Order::row_major(0),
        }
    }

    /// Asks for the computed operand in `slot` in `order`; it is copied if it lies otherwise.
    pub fn want(&mut self, slot: usize, order: Order) {
        if let Feed::Computed(extents, lies) = &self.feeds[slot]
            && !lies.same_places(&order, extents)
        {
            self.wanted[slot] = Some(order);
        }
    }

    /// Extents of an output.
    pub fn output(&self, index: usize) -> &[usize] {
        &self.outputs[index]
    }

    /// What to do to the result before it is stored.
    pub fn epilogue(&self) -> &Epilogue {
        &self.epilogue
    }

    /// Orders asked for, by slot; `None` where the operand is fine as it lies.
    pub fn wanted(&self) -> &[Option<Order>] {
        &self.wanted
    }
}
