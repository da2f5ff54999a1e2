//! What operators share that are written as simpler nodes.

use std::sync::Arc;

use brickwork_tensor::{Nd, Tensor};

use crate::attrs::{Attr, Literal};
use crate::error::OpError;
use crate::read::{Form, Read, Reading};
use crate::shape::Shape;

/// Nodes that together make the first result of a node.
pub(crate) struct Formula<'a> {
    output: &'a str,
    word: String,
    constants: Vec<Form>,
    steps: Vec<Form>,
}

impl<'a> Formula<'a> {
    /// Starts the nodes that stand for the one being read.
    ///
    /// # Errors
    /// If it has no operand.
    pub(crate) fn of(reading: &Reading<'a>) -> Result<Self, OpError> {
        Self::making(reading, &reading.form.outputs[0])
    }

    /// Starts the nodes that make one of the results of the node being read.
    ///
    /// # Errors
    /// If it has no operand.
    pub(crate) fn making(reading: &Reading<'a>, output: &'a str) -> Result<Self, OpError> {
        reading.shape(0)?;
        Ok(Self {
            output,
            word: reading.form.kind.to_lowercase(),
            constants: Vec::new(),
            steps: Vec::new(),
        })
    }

    /// Adds a number; gives its name.
    pub(crate) fn number(&mut self, value: f64) -> String {
        self.constant(Literal::Floats(Nd::scalar(value as f32)))
    }

    /// Adds an array of real numbers; gives its name.
    pub(crate) fn reals(&mut self, data: &Arc<Tensor>) -> String {
        self.constant(Literal::Floats((**data).clone()))
    }

    /// Adds a list of whole numbers; gives its name.
    pub(crate) fn whole(&mut self, list: Vec<i64>) -> String {
        self.constant(Literal::Ints(Nd::vector(list)))
    }

    fn constant(&mut self, literal: Literal) -> String {
        let name = format!("{}.{}.c{}", self.output, self.word, self.constants.len());
        self.constants.push(Form {
            name: name.clone(),
            kind: "Constant".to_owned(),
            outputs: vec![name.clone()],
            attrs: [("value".to_owned(), Attr::Literal(literal))].into(),
            ..Form::default()
        });
        name
    }

    /// Adds a node; gives the name of its result.
    pub(crate) fn step(&mut self, kind: &str, inputs: &[&str]) -> String {
        self.step_with(kind, inputs, &[])
    }

    /// Adds a node with attributes; gives the name of its result.
    pub(crate) fn step_with(
        &mut self,
        kind: &str,
        inputs: &[&str],
        attrs: &[(&str, Attr)],
    ) -> String {
        let name = self.next();
        self.steps.push(Form {
            name: format!("{name}.{kind}"),
            kind: kind.to_owned(),
            inputs: inputs.iter().map(|&name| name.to_owned()).collect(),
            outputs: vec![name.clone()],
            attrs: attrs.iter().map(|(name, attr)| ((*name).to_owned(), attr.clone())).collect(),
            ..Form::default()
        });
        name
    }

    /// Adds a reshape of `input`, whose elements stay in order, to `shape`.
    pub(crate) fn reshape(&mut self, input: &str, shape: &Shape) -> String {
        let attrs = [("shape", Attr::Ints(shape.target()))];
        self.step_with("Reshape", &[input], &attrs)
    }

    /// Adds a mean or another reduction of `input` over `axes`, which stay with extent 1.
    pub(crate) fn reduce(&mut self, kind: &str, input: &str, axes: &[usize]) -> String {
        let axes = axes.iter().map(|&axis| axis as i64).collect();
        self.step_with(kind, &[input], &[("axes", Attr::Ints(axes))])
    }

    /// The nodes; the result of the last is that of the node being read.
    pub(crate) fn done(self) -> Read {
        Read::Expand(self.forms())
    }

    /// The nodes; the result of the last is the one that they make.
    pub(crate) fn forms(mut self) -> Vec<Form> {
        if let Some(last) = self.steps.last_mut() {
            last.outputs = vec![self.output.to_owned()];
        }
        [self.constants, self.steps].concat()
    }

    fn next(&self) -> String {
        format!("{}.{}{}", self.output, self.word, self.steps.len() + 1)
    }
}
