//! Operator attributes as they travel between a file and an operator.

use std::collections::BTreeMap;

use brickwork_tensor::Nd;

/// One attribute value.
#[derive(Clone, Debug, PartialEq)]
pub enum Attr {
    /// A whole number.
    Int(i64),
    /// A real number.
    Float(f32),
    /// A word.
    Text(String),
    /// A list of whole numbers.
    Ints(Vec<i64>),
    /// A list of real numbers.
    Floats(Vec<f32>),
    /// A list of words.
    Texts(Vec<String>),
    /// An array.
    Literal(Literal),
    /// Anything Brickwork has no use for (graphs, sparse tensors, types).
    Other(String),
}

impl Attr {
    /// What it is, in words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Int(x) => x.to_string(),
            Self::Float(x) => x.to_string(),
            Self::Text(text) => format!("\"{text}\""),
            Self::Ints(_) => "a list of whole numbers".to_owned(),
            Self::Floats(_) => "a list of real numbers".to_owned(),
            Self::Texts(_) => "a list of words".to_owned(),
            Self::Literal(_) => "an array".to_owned(),
            Self::Other(what) => what.clone(),
        }
    }
}

/// An array found in a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Real numbers.
    Floats(Nd<f32>),
    /// Whole numbers and truth values.
    Ints(Nd<i64>),
}

/// The attributes of a node, by name.
pub type Attrs = BTreeMap<String, Attr>;
