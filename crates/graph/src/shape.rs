//! Shapes whose batch extent is open, the operands they are worked out from, and integer arithmetic
//! over them.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use brickwork_tensor::Tensor;

use crate::error::OpError;

/// No value has more axes.
const MOST_AXES: usize = 16;

/// No value has more elements for one sample.
pub(crate) const MOST_ELEMENTS: usize = 1 << 28;

/// One extent of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dim {
    /// The same for every batch.
    Fixed(usize),
    /// This many per sample of the batch: `Batch(1)` is the batch size itself.
    Batch(usize),
}

impl Dim {
    /// The extent in a batch of `batch` samples.
    pub fn at(self, batch: usize) -> usize {
        match self {
            Self::Fixed(extent) => extent,
            Self::Batch(each) => each.saturating_mul(batch),
        }
    }

    /// The extent if it does not depend on the batch.
    pub fn fixed(self) -> Option<usize> {
        match self {
            Self::Fixed(extent) => Some(extent),
            Self::Batch(_) => None,
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(extent) => write!(f, "{extent}"),
            Self::Batch(1) => write!(f, "n"),
            Self::Batch(each) => write!(f, "{each}n"),
        }
    }
}

/// Extents of a value, outermost axis first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape(pub Vec<Dim>);

impl Shape {
    /// A shape that does not depend on the batch.
    pub fn fixed(extents: &[usize]) -> Self {
        Self(extents.iter().map(|&extent| Dim::Fixed(extent)).collect())
    }

    /// `[n, extents...]`.
    pub fn batched(extents: &[usize]) -> Self {
        Self::under(Dim::Batch(1), extents)
    }

    /// `[first, extents...]`.
    pub(crate) fn under(first: Dim, extents: &[usize]) -> Self {
        Self(std::iter::once(first).chain(Self::fixed(extents).0).collect())
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Extents in a batch of `batch` samples.
    pub fn at(&self, batch: usize) -> Vec<usize> {
        self.0.iter().map(|dim| dim.at(batch)).collect()
    }

    /// Extents for a single sample.
    pub fn sample(&self) -> Vec<usize> {
        self.at(1)
    }

    /// Extents, if none depends on the batch.
    pub fn extents(&self) -> Option<Vec<usize>> {
        self.0.iter().map(|dim| dim.fixed()).collect()
    }

    /// Elements for a single sample.
    pub fn sample_volume(&self) -> usize {
        self.0.iter().map(|dim| dim.at(1)).product()
    }

    /// The axis that grows with the batch, the first if there are several.
    pub fn batch_axis(&self) -> Option<usize> {
        self.0.iter().position(|dim| matches!(dim, Dim::Batch(_)))
    }

    /// The extents as the target of a reshape: -1 for the one that grows with the batch.
    pub(crate) fn target(&self) -> Vec<i64> {
        self.0.iter().map(|dim| dim.fixed().map_or(-1, |extent| extent as i64)).collect()
    }

    /// Refuses shapes that no value may have: empty ones, and ones beyond the limits within
    /// which sizes can be multiplied without a second thought.
    pub(crate) fn sound(&self) -> Result<(), OpError> {
        if self.rank() > MOST_AXES {
            let found = self.rank();
            return Err(OpError::new(format!("it has {found} axes, at most {MOST_AXES} may be")));
        }
        let volume = self.0.iter().try_fold(1usize, |v, dim| v.checked_mul(dim.at(1)));
        match volume {
            Some(0) => Err(OpError::new(format!("shape {self} holds no elements"))),
            Some(1..=MOST_ELEMENTS) => Ok(()),
            _ => Err(OpError::new(format!(
                "shape {self} holds more than {MOST_ELEMENTS} elements per sample"
            ))),
        }
    }

    /// Refuses shapes that a value computed from the input cannot have: every sample of the
    /// batch has its part in it, along one axis.
    pub(crate) fn follows_batch(&self) -> Result<(), OpError> {
        match self.0.iter().filter(|dim| matches!(dim, Dim::Batch(_))).count() {
            1 => Ok(()),
            found => Err(OpError::new(format!(
                "{found} axes of shape {self} grow with the batch, expected one"
            ))),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[")?;
        for (k, dim) in self.0.iter().enumerate() {
            write!(f, "{}{dim}", if k == 0 { "" } else { ", " })?;
        }
        write!(f, "]")
    }
}

/// Shape and, of a constant, data of an operand.
pub(crate) type Seen<'a> = Option<(&'a Shape, Option<&'a Arc<Tensor>>)>;

/// The operands of a node while shapes are worked out.
#[derive(Clone, Debug)]
pub struct Operands<'a> {
    /// Shape by slot; `None` where the operand is missing.
    pub shapes: Vec<Option<&'a Shape>>,
    /// Data by slot, of constants.
    pub constants: Vec<Option<&'a Arc<Tensor>>>,
}

impl<'a> Operands<'a> {
    /// Operands by slot.
    pub(crate) fn of(inputs: impl IntoIterator<Item = Seen<'a>>) -> Self {
        let split = |seen: Seen<'a>| seen.map_or((None, None), |(shape, data)| (Some(shape), data));
        let (shapes, constants) = inputs.into_iter().map(split).unzip();
        Self { shapes, constants }
    }

    /// Number of slots, missing operands included.
    pub fn len(&self) -> usize {
        self.shapes.len()
    }

    /// Whether the node has no operands.
    pub fn is_empty(&self) -> bool {
        self.shapes.is_empty()
    }

    /// Whether slot `slot` is filled.
    pub fn has(&self, slot: usize) -> bool {
        self.shapes.get(slot).is_some_and(Option::is_some)
    }

    /// The shape in `slot`.
    ///
    /// # Errors
    /// If the operand is missing.
    pub fn shape(&self, slot: usize) -> Result<&'a Shape, OpError> {
        let shape = self.shapes.get(slot).copied().flatten();
        shape.ok_or_else(|| OpError::new(format!("operand {slot} is missing")))
    }

    /// The shape in `slot`, which must have `rank` axes.
    ///
    /// # Errors
    /// If the operand is missing or has another rank.
    pub fn ranked(&self, slot: usize, rank: usize) -> Result<&'a Shape, OpError> {
        let shape = self.shape(slot)?;
        if shape.rank() == rank {
            return Ok(shape);
        }
        Err(OpError::new(format!("operand {slot} has shape {shape}, expected {rank} axes")))
    }

    /// The constant in `slot`, if it is one.
    pub fn constant(&self, slot: usize) -> Option<&'a Arc<Tensor>> {
        self.constants.get(slot).copied().flatten()
    }

    /// The constant in `slot`.
    ///
    /// # Errors
    /// If the operand is missing or computed at run time.
    pub fn must_be_constant(&self, slot: usize, what: &str) -> Result<&'a Arc<Tensor>, OpError> {
        self.constant(slot).ok_or_else(|| {
            OpError::new(format!("{what} (operand {slot}) must be a constant, but is computed"))
        })
    }
}

/// An integer of the shape arithmetic that exporters leave in a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Int {
    /// A known number.
    Fixed(i64),
    /// This many times the batch size.
    Batch(i64),
    /// In an array that repeats over the batch: so many times the place of the sample, counted from 0,
    /// and some more.
    Place {
        /// Factor of the sample's place.
        times: i64,
        /// What is added.
        plus: i64,
    },
}

#[allow(clippy::should_implement_trait)]
impl Int {
    /// The number, if it does not depend on the batch.
    pub fn fixed(self) -> Option<i64> {
        match self {
            Self::Fixed(x) => Some(x),
            Self::Batch(_) | Self::Place { .. } => None,
        }
    }

    /// The same number as a factor of the sample's place and what is added, if it can be written so.
    fn by_place(self) -> Option<[i64; 2]> {
        match self {
            Self::Fixed(x) => Some([0, x]),
            Self::Place { times, plus } => Some([times, plus]),
            Self::Batch(_) => None,
        }
    }

    /// `times` the place of a sample plus `plus`.
    fn placed(times: i64, plus: i64) -> Self {
        if times == 0 { Self::Fixed(plus) } else { Self::Place { times, plus } }
    }

    /// `self + other`, where it can be written.
    pub fn add(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Fixed(a), Self::Fixed(b)) => a.checked_add(b).map(Self::Fixed),
            (Self::Batch(a), Self::Batch(b)) => Some(match a.checked_add(b)? {
                0 => Self::Fixed(0),
                sum => Self::Batch(sum),
            }),
            (x, Self::Fixed(0)) | (Self::Fixed(0), x) => Some(x),
            (a, b) => {
                let ([at, a], [bt, b]) = (a.by_place()?, b.by_place()?);
                Some(Self::placed(at.checked_add(bt)?, a.checked_add(b)?))
            }
        }
    }

    /// `self - other`, where it can be written.
    pub fn sub(self, other: Self) -> Option<Self> {
        let negated = match other {
            Self::Fixed(x) => Self::Fixed(x.checked_neg()?),
            Self::Batch(x) => Self::Batch(x.checked_neg()?),
            Self::Place { times, plus } => {
                Self::Place { times: times.checked_neg()?, plus: plus.checked_neg()? }
            }
        };
        self.add(negated)
    }

    /// `self * other`, where it can be written.
    pub fn mul(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Fixed(a), Self::Fixed(b)) => a.checked_mul(b).map(Self::Fixed),
            (Self::Batch(a), Self::Fixed(b)) | (Self::Fixed(b), Self::Batch(a)) => {
                Some(if b == 0 { Self::Fixed(0) } else { Self::Batch(a.checked_mul(b)?) })
            }
            (Self::Place { times, plus }, Self::Fixed(by))
            | (Self::Fixed(by), Self::Place { times, plus }) => {
                Some(Self::placed(times.checked_mul(by)?, plus.checked_mul(by)?))
            }
            _ => None,
        }
    }

    /// `self / other` rounded towards zero, where it can be written.
    pub fn div(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Fixed(a), Self::Fixed(b)) => a.checked_div(b).map(Self::Fixed),
            (Self::Batch(a), Self::Fixed(b)) => divided(a, b).map(Self::Batch),
            (Self::Batch(a), Self::Batch(b)) => divided(a, b).map(Self::Fixed),
            _ => None,
        }
    }

    /// What remains of `self / other`, with the sign of `other`, where it can be written.
    pub fn rem(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Fixed(a), Self::Fixed(b)) => {
                let rest = a.checked_rem(b)?;
                let wrong_side = rest != 0 && (rest < 0) != (b < 0);
                Some(Self::Fixed(if wrong_side { rest + b } else { rest }))
            }
            (Self::Batch(a), Self::Fixed(b)) => divided(a, b).map(|_| Self::Fixed(0)),
            _ => None,
        }
    }

    /// How `self` compares with `other` whatever the batch size, which is at least 1; `None` where that
    /// depends on it.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        match self.sub(other) {
            Some(Self::Fixed(difference)) => return Some(difference.cmp(&0)),
            Some(Self::Batch(each)) => return Some(each.cmp(&0)),
            _ => {}
        }
        match (self, other) {
            (Self::Batch(each), Self::Fixed(x)) if each > 0 && x < each => Some(Ordering::Greater),
            (Self::Fixed(x), Self::Batch(each)) if each > 0 && x < each => Some(Ordering::Less),
            _ => None,
        }
    }

    /// The larger of both; `None` where that depends on the batch size.
    pub(crate) fn larger(self, other: Self) -> Option<Self> {
        self.compare(other).map(|order| if order.is_lt() { other } else { self })
    }

    /// The smaller of both; `None` where that depends on the batch size.
    pub(crate) fn smaller(self, other: Self) -> Option<Self> {
        self.compare(other).map(|order| if order.is_gt() { other } else { self })
    }

    /// Whether `self` is `other`; `None` where that depends on the batch size.
    pub fn equals(self, other: Self) -> Option<bool> {
        match (self, other) {
            (Self::Batch(each), Self::Fixed(x)) | (Self::Fixed(x), Self::Batch(each))
                if each != 0 && x % each != 0 =>
            {
                Some(false)
            }
            _ => self.compare(other).map(Ordering::is_eq),
        }
    }

    /// The extent this number stands for, if it is one.
    pub fn dim(self) -> Option<Dim> {
        match self {
            Self::Fixed(x) => usize::try_from(x).ok().map(Dim::Fixed),
            Self::Batch(x) => usize::try_from(x).ok().map(Dim::Batch),
            Self::Place { .. } => None,
        }
    }
}

/// `a / b` if there is no remainder.
fn divided(a: i64, b: i64) -> Option<i64> {
    (a.checked_rem(b)? == 0).then(|| a / b)
}

impl fmt::Display for Int {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(x) => write!(f, "{x}"),
            Self::Batch(1) => write!(f, "n"),
            Self::Batch(each) => write!(f, "{each}n"),
            Self::Place { times, plus } => write!(f, "{times}k + {plus}"),
        }
    }
}

/// A list of such numbers in words: `[n, 3, -1]`.
pub(crate) fn listed(ints: &[Int]) -> String {
    let words: Vec<String> = ints.iter().map(ToString::to_string).collect();
    format!("[{}]", words.join(", "))
}

impl From<Dim> for Int {
    fn from(dim: Dim) -> Self {
        match dim {
            Dim::Fixed(extent) => Self::Fixed(extent as i64),
            Dim::Batch(each) => Self::Batch(each as i64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_print_their_open_batch() {
        assert_eq!(Shape::batched(&[3, 32, 32]).to_string(), "[n, 3, 32, 32]");
        assert_eq!(Shape(vec![Dim::Batch(4), Dim::Fixed(2)]).at(8), [32, 2]);
    }

    #[test]
    fn arithmetic_keeps_the_batch_symbolic() {
        let n = Int::Batch(1);
        assert_eq!(n.mul(Int::Fixed(6)).and_then(|x| x.div(Int::Fixed(2))), Some(Int::Batch(3)));
        assert_eq!(n.mul(n), None);
        assert_eq!(n.add(Int::Fixed(1)), None);
        assert_eq!(Int::Fixed(1).div(Int::Fixed(0)), None);
        assert_eq!(n.rem(Int::Fixed(1)), Some(Int::Fixed(0)));
        assert_eq!(n.rem(Int::Fixed(2)), None);
        assert_eq!(Int::Fixed(-7).rem(Int::Fixed(3)), Some(Int::Fixed(2)));
        assert_eq!(n.equals(Int::Fixed(-1)), Some(false));
        assert_eq!(n.equals(Int::Fixed(1)), None);
        assert_eq!(n.sub(n).and_then(|x| x.equals(Int::Fixed(0))), Some(true));
        assert_eq!(n.compare(Int::Fixed(0)), Some(Ordering::Greater));
    }

    #[test]
    fn arithmetic_keeps_the_place_of_a_sample() {
        let place = Int::Place { times: 1, plus: 0 };
        let row = place.mul(Int::Fixed(8)).and_then(|x| x.add(Int::Fixed(3)));
        assert_eq!(row, Some(Int::Place { times: 8, plus: 3 }));
        assert_eq!(place.sub(place), Some(Int::Fixed(0)));
        assert_eq!(place.add(Int::Batch(1)), None);
    }

    #[test]
    fn arithmetic_does_not_overflow() {
        let (least, most) = (Int::Fixed(i64::MIN), Int::Fixed(i64::MAX));
        assert_eq!(most.add(Int::Fixed(1)), None);
        assert_eq!(Int::Fixed(0).sub(least), None);
        assert_eq!(most.mul(Int::Fixed(2)), None);
        assert_eq!(least.div(Int::Fixed(-1)), None);
        assert_eq!(Int::Batch(i64::MIN).div(Int::Fixed(-1)), None);
        assert_eq!(Int::Batch(i64::MIN).div(Int::Batch(-1)), None);
    }

    #[test]
    fn unsound_shapes_are_named() {
        let why = |shape: Shape| shape.sound().unwrap_err().0;
        assert!(why(Shape::batched(&[1 << 20, 1 << 20])).contains("[n, 1048576, 1048576]"));
        assert!(why(Shape::batched(&[usize::MAX, 3])).contains("more than 268435456 elements"));
        assert!(why(Shape::batched(&[3, 0])).contains("[n, 3, 0] holds no elements"));
        assert!(why(Shape::batched(&[1; 16])).contains("17 axes, at most 16"));
        assert!(Shape::batched(&[1 << 14, 1 << 14]).sound().is_ok());
        assert!(Shape::fixed(&[2]).follows_batch().is_err());
        assert!(Shape(vec![Dim::Batch(2), Dim::Batch(1)]).follows_batch().is_err());
    }
}
