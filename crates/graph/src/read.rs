//! What an operator is told when a node is read, and what it answers.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use brickwork_tensor::{Nd, Tensor};

use crate::attrs::{Attr, Attrs, Literal};
use crate::error::OpError;
use crate::graph::ValueId;
use crate::op::Op;
use crate::shape::{Dim, Int, Shape};

/// An operand of a node being read.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    /// Missing.
    Absent,
    /// Computed at run time.
    Value(ValueId, Shape),
    /// Known real numbers.
    Floats(Arc<Tensor>),
    /// Known whole numbers, perhaps in terms of the batch.
    Ints(Arc<Nd<Int>>),
    /// Known numbers, the same for every sample of a batch.
    Repeated(Repeated),
}

/// Known numbers that every sample of a batch has: those of one sample, under a shape that grows with
/// the batch.
#[derive(Clone, Debug)]
pub(crate) struct Repeated {
    /// The numbers of one sample.
    pub sample: Box<Known>,
    /// Extents, one of them open.
    pub shape: Shape,
}

/// Whole numbers that are known, and the shape they stand for.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    /// The numbers; of one sample, where the shape is open.
    pub data: Arc<Nd<Int>>,
    /// Extents.
    pub shape: Shape,
}

/// Real numbers that are known, and the shape they stand for.
#[derive(Clone, Debug)]
pub(crate) struct Real {
    /// The numbers; of one sample, where the shape is open.
    pub data: Arc<Tensor>,
    /// Extents.
    pub shape: Shape,
}

impl Operand {
    /// Extents; `None` if missing.
    pub(crate) fn shape(&self) -> Option<Shape> {
        match self {
            Self::Absent => None,
            Self::Value(_, shape) => Some(shape.clone()),
            Self::Floats(data) => Some(Shape::fixed(data.shape())),
            Self::Ints(data) => Some(Shape::fixed(data.shape())),
            Self::Repeated(repeated) => Some(repeated.shape.clone()),
        }
    }

    /// The known whole numbers, if these are some.
    pub(crate) fn whole(&self) -> Option<Whole> {
        match self {
            Self::Ints(data) => Some(Whole { data: data.clone(), shape: self.shape()? }),
            Self::Repeated(Repeated { sample, shape }) => match &**sample {
                Known::Ints(data) => Some(Whole { data: data.clone(), shape: shape.clone() }),
                _ => None,
            },
            _ => None,
        }
    }

    /// The known real numbers, if these are some.
    pub(crate) fn real(&self) -> Option<Real> {
        match self {
            Self::Floats(data) => Some(Real { data: data.clone(), shape: self.shape()? }),
            Self::Repeated(Repeated { sample, shape }) => match &**sample {
                Known::Floats(data) => Some(Real { data: data.clone(), shape: shape.clone() }),
                _ => None,
            },
            _ => None,
        }
    }
}

impl From<Known> for Operand {
    fn from(known: Known) -> Self {
        match known {
            Known::Floats(data) => Self::Floats(data),
            Known::Ints(data) => Self::Ints(data),
            Known::Repeated(repeated) => Self::Repeated(repeated),
        }
    }
}

/// A result that is known while reading.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// Real numbers.
    Floats(Arc<Tensor>),
    /// Whole numbers.
    Ints(Arc<Nd<Int>>),
    /// The same numbers for every sample of a batch.
    Repeated(Repeated),
}

impl Known {
    /// Whole numbers under `shape`; those of one sample, where it grows with the batch.
    pub(crate) fn whole(data: Nd<Int>, shape: Shape) -> Self {
        Self::Ints(Arc::new(data)).under(shape)
    }

    /// Real numbers under `shape`; those of one sample, where it grows with the batch.
    pub(crate) fn real(data: Tensor, shape: Shape) -> Self {
        Self::Floats(Arc::new(data)).under(shape)
    }

    /// The same numbers under `shape`, whose extents for one sample are their own.
    pub(crate) fn under(self, shape: Shape) -> Self {
        match shape.batch_axis() {
            None => self,
            Some(_) => Self::Repeated(Repeated { sample: Box::new(self), shape }),
        }
    }

    /// Bytes that were taken for this array alone.
    pub(crate) fn cost(&self) -> u64 {
        let (count, size, shares) = match self {
            Self::Repeated(repeated) => return repeated.sample.cost(),
            Self::Floats(data) => (data.data().len(), size_of::<f32>(), Arc::strong_count(data)),
            Self::Ints(data) => (data.data().len(), size_of::<Int>(), Arc::strong_count(data)),
        };
        if shares == 1 { (count * size) as u64 } else { 0 }
    }
}

/// What a node turned out to be.
pub(crate) enum Read {
    /// A node of the graph, with the operands it keeps, by slot.
    Node(Arc<dyn Op>, Vec<OperandSource>),
    /// Results known at once; nothing runs.
    Known(Vec<Known>),
    /// Nothing runs: the result is operand 0.
    Same,
    /// Simpler nodes with the same meaning, in order.
    Expand(Vec<Form>),
    /// The same around a value whose rows are turned (see [`Reading::turned`]).
    Turning {
        /// The nodes; rows of their operands count as they lie.
        forms: Vec<Form>,
        /// Rows of each sample that the result has turned, if it has.
        rows: Option<usize>,
    },
}

/// Where an operand of a node comes from.
#[derive(Clone, Debug)]
pub(crate) enum OperandSource {
    /// Operand of the node as read.
    Operand(usize),
    /// A constant worked out while reading.
    Constant(Arc<Tensor>),
    /// Left out.
    Absent,
}

/// A node in the form of a file: everything by name. Missing operands are empty names.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// Name; may be empty.
    pub name: String,
    /// Operator type.
    pub kind: String,
    /// Operator set it belongs to; empty for ONNX's own.
    pub domain: String,
    /// Operands.
    pub inputs: Vec<String>,
    /// Results.
    pub outputs: Vec<String>,
    /// Attributes.
    pub attrs: Attrs,
}

/// A node being read: attributes and operands, with typed access that remembers what was looked
/// at, so that nothing an operator does not know passes unnoticed.
pub(crate) struct Reading<'a> {
    /// Version of the operator set.
    pub opset: i64,
    /// The batch size the file fixes, if it fixes one; the graph leaves it open all the same.
    pub fixed_batch: Option<usize>,
    /// The node as written.
    pub form: &'a Form,
    /// Operands.
    pub operands: &'a [Operand],
    /// What results known while reading may still take.
    pub room: u64,
    /// Rows of each sample of operand 0, if they are turned: the file has them row by row, samples innermost,
    /// and they are computed sample by sample.
    pub turned: Option<usize>,
    seen: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Reading<'a> {
    /// Starts reading a node.
    pub(crate) fn new(
        opset: i64,
        fixed_batch: Option<usize>,
        form: &'a Form,
        operands: &'a [Operand],
        room: u64,
    ) -> Self {
        Self { opset, fixed_batch, form, operands, room, turned: None, seen: RefCell::default() }
    }

    /// Says how many rows of each sample of operand 0 are turned.
    pub(crate) fn turned(self, turned: Option<usize>) -> Self {
        Self { turned, ..self }
    }

    /// Makes sure that a result of `extents`, known while reading, is worth its memory.
    ///
    /// # Errors
    /// If the extents or what they take are beyond the limits.
    pub(crate) fn affords(&self, extents: &[usize], whole: bool) -> Result<(), OpError> {
        let shape = Shape::fixed(extents);
        shape.sound()?;
        if whole {
            few_ints(shape.sample_volume())?;
        }
        within(4 * shape.sample_volume() as u64, self.room)
    }

    /// A node that keeps its first `count` operands.
    pub(crate) fn node(&self, op: impl Op + 'static, count: usize) -> Read {
        let sources = (0..count)
            .map(|slot| match self.operand(slot) {
                Operand::Absent => OperandSource::Absent,
                _ => OperandSource::Operand(slot),
            })
            .collect();
        Read::Node(Arc::new(op), sources)
    }

    /// The operand in `slot`.
    pub(crate) fn operand(&self, slot: usize) -> &Operand {
        self.operands.get(slot).unwrap_or(&Operand::Absent)
    }

    /// What the operand in `slot` is called in the file; nothing if it is missing.
    pub(crate) fn named(&self, slot: usize) -> &str {
        self.form.inputs.get(slot).map_or("", String::as_str)
    }

    /// The shape of the operand in `slot`.
    ///
    /// # Errors
    /// If it is missing.
    pub(crate) fn shape(&self, slot: usize) -> Result<Shape, OpError> {
        self.operand(slot).shape().ok_or_else(|| OpError::new(format!("operand {slot} is missing")))
    }

    /// The shape of the operand in `slot`, with `rank` axes, all but the first fixed.
    ///
    /// # Errors
    /// If it is missing, has another rank, or an open or empty extent.
    pub(crate) fn image(&self, slot: usize, rank: usize) -> Result<Vec<usize>, OpError> {
        let shape = self.shape(slot)?;
        let open =
            || OpError::new(format!("operand {slot} has shape {shape}, expected {rank} axes"));
        if shape.rank() != rank {
            return Err(open());
        }
        let extent = |dim: &Dim| dim.fixed().filter(|&extent| extent > 0);
        shape.0[1..].iter().map(|dim| extent(dim).ok_or_else(open)).collect()
    }

    fn attr(&self, name: &'static str) -> Option<&'a Attr> {
        self.seen.borrow_mut().insert(name);
        self.form.attrs.get(name)
    }

    /// Takes note of attributes that do not change what is computed.
    pub(crate) fn ignore(&self, names: &[&'static str]) {
        self.seen.borrow_mut().extend(names);
    }

    /// Attributes nobody asked for.
    pub(crate) fn unseen(&self) -> Vec<String> {
        let seen = self.seen.borrow();
        self.form.attrs.keys().filter(|name| !seen.contains(name.as_str())).cloned().collect()
    }

    /// A whole-number attribute.
    ///
    /// # Errors
    /// If it has another type.
    pub(crate) fn int(&self, name: &'static str) -> Result<Option<i64>, OpError> {
        match self.attr(name) {
            None => Ok(None),
            Some(Attr::Int(x)) => Ok(Some(*x)),
            Some(other) => Err(wrong(name, "a whole number", other)),
        }
    }

    /// A whole-number attribute with a default.
    ///
    /// # Errors
    /// If it has another type.
    pub(crate) fn int_or(&self, name: &'static str, default: i64) -> Result<i64, OpError> {
        Ok(self.int(name)?.unwrap_or(default))
    }

    /// A real-number attribute with a default.
    ///
    /// # Errors
    /// If it has another type.
    pub(crate) fn float_or(&self, name: &'static str, default: f32) -> Result<f32, OpError> {
        match self.attr(name) {
            None => Ok(default),
            Some(Attr::Float(x)) if !x.is_nan() => Ok(*x),
            Some(other) => Err(wrong(name, "a real number", other)),
        }
    }

    /// A word attribute with a default.
    ///
    /// # Errors
    /// If it has another type.
    pub(crate) fn text_or(&self, name: &'static str, default: &str) -> Result<String, OpError> {
        match self.attr(name) {
            None => Ok(default.to_owned()),
            Some(Attr::Text(x)) => Ok(x.clone()),
            Some(other) => Err(wrong(name, "a word", other)),
        }
    }

    /// A list of whole numbers.
    ///
    /// # Errors
    /// If it has another type.
    pub(crate) fn ints(&self, name: &'static str) -> Result<Option<Vec<i64>>, OpError> {
        match self.attr(name) {
            None => Ok(None),
            Some(Attr::Ints(x)) => Ok(Some(x.clone())),
            Some(other) => Err(wrong(name, "a list of whole numbers", other)),
        }
    }

    /// An array attribute.
    ///
    /// # Errors
    /// If it has another type.
    pub(crate) fn literal(&self, name: &'static str) -> Result<Option<&'a Literal>, OpError> {
        match self.attr(name) {
            None => Ok(None),
            Some(Attr::Literal(x)) => Ok(Some(x)),
            Some(other) => Err(wrong(name, "an array", other)),
        }
    }

    /// Whether all operands are known.
    pub(crate) fn knows_all(&self) -> bool {
        self.operands.iter().all(|operand| !matches!(operand, Operand::Value(..)))
    }

    /// Whether `extent` is the whole batch axis as far as the file goes.
    pub(crate) fn is_batch(&self, extent: usize) -> bool {
        self.fixed_batch == Some(extent)
    }

    /// The raw attribute.
    pub(crate) fn raw(&self, name: &'static str) -> Option<&'a Attr> {
        self.attr(name)
    }

    /// The known whole numbers in `slot`; `None` if the operand is missing.
    ///
    /// # Errors
    /// If it is computed at run time or not whole.
    pub(crate) fn ints_at(&self, slot: usize, what: &str) -> Result<Option<Vec<Int>>, OpError> {
        match self.operand(slot) {
            Operand::Absent => Ok(None),
            Operand::Ints(data) if data.data().len() > MOST_LISTED => Err(OpError::new(format!(
                "{what} (operand {slot}) holds {} numbers, at most {MOST_LISTED} make sense",
                data.data().len()
            ))),
            Operand::Ints(data) => Ok(Some(data.data().to_vec())),
            Operand::Value(..) => Err(OpError::new(format!(
                "{what} (operand {slot}) is computed at run time, expected constants"
            ))),
            Operand::Floats(_) => Err(OpError::new(format!(
                "{what} (operand {slot}) holds real numbers, expected whole ones"
            ))),
            Operand::Repeated(_) => Err(OpError::new(format!(
                "{what} (operand {slot}) grows with the batch, expected constants"
            ))),
        }
    }

    /// The known whole numbers in `slot`, none of them in terms of the batch.
    ///
    /// # Errors
    /// If the operand is computed, not whole, or depends on the batch.
    pub(crate) fn fixed_ints_at(
        &self,
        slot: usize,
        what: &str,
    ) -> Result<Option<Vec<i64>>, OpError> {
        let Some(ints) = self.ints_at(slot, what)? else { return Ok(None) };
        let fixed = ints.into_iter().map(Int::fixed).collect::<Option<Vec<_>>>();
        fixed.map(Some).ok_or_else(|| {
            OpError::new(format!("{what} (operand {slot}) depends on the batch size"))
        })
    }

    /// A list that is an attribute in old operator sets and an operand in new ones.
    ///
    /// # Errors
    /// If either is of the wrong kind.
    pub(crate) fn list(
        &self,
        name: &'static str,
        slot: usize,
    ) -> Result<Option<Vec<i64>>, OpError> {
        match self.ints(name)? {
            Some(list) => Ok(Some(list)),
            None => self.fixed_ints_at(slot, name),
        }
    }

    /// The known real numbers in `slot`; `None` if the operand is missing.
    ///
    /// # Errors
    /// If it is computed at run time or whole.
    pub(crate) fn floats_at(
        &self,
        slot: usize,
        what: &str,
    ) -> Result<Option<Arc<Tensor>>, OpError> {
        match self.operand(slot) {
            Operand::Absent => Ok(None),
            Operand::Floats(data) => Ok(Some(data.clone())),
            _ => {
                Err(OpError::new(format!("{what} (operand {slot}) must be constant real numbers")))
            }
        }
    }

    /// One known real number in `slot`, or `default` if it is missing.
    ///
    /// # Errors
    /// If the operand is computed or holds more than one number.
    pub(crate) fn float_at(&self, slot: usize, what: &str, default: f32) -> Result<f32, OpError> {
        match self.floats_at(slot, what)? {
            None => Ok(default),
            Some(data) if data.data().len() == 1 && data.data()[0].is_nan() => {
                Err(OpError::new(format!("{what} (operand {slot}) is NaN")))
            }
            Some(data) if data.data().len() == 1 => Ok(data.data()[0]),
            Some(data) => Err(OpError::new(format!(
                "{what} (operand {slot}) has shape {:?}, expected one number",
                data.shape()
            ))),
        }
    }
}

/// Whole numbers in one array: shapes and indices are never longer.
const MOST_INTS: usize = 1 << 20;

/// Refuses arrays of too many whole numbers.
///
/// # Errors
/// If there are too many.
pub(crate) fn few_ints(count: usize) -> Result<(), OpError> {
    if count <= MOST_INTS {
        return Ok(());
    }
    Err(OpError::new(format!(
        "an array of {count} whole numbers, at most {MOST_INTS} are supported"
    )))
}

/// Numbers in an operand that lists extents, axes or sizes of parts.
const MOST_LISTED: usize = 1 << 12;

/// Makes sure that working out a constant takes no more than there is `room` for.
///
/// # Errors
/// If it takes more.
pub(crate) fn within(steps: u64, room: u64) -> Result<(), OpError> {
    if steps <= room {
        return Ok(());
    }
    Err(OpError::new(format!(
        "its constant result takes {steps} steps to work out, but a file of this size may ask for \
         {room} more"
    )))
}

fn wrong(name: &str, expected: &str, found: &Attr) -> OpError {
    OpError::new(format!("attribute `{name}` is {}, expected {expected}", found.words()))
}

/// `axis` counted from the front, for a value of `rank` axes.
///
/// # Errors
/// If it is outside `-rank..rank`.
pub(crate) fn axis_of(axis: i64, rank: usize) -> Result<usize, OpError> {
    let counted = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(counted)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or_else(|| OpError::new(format!("axis {axis} is outside a value of {rank} axes")))
}
