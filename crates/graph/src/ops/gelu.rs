//! Gelu (opset 20): written as the erf or tanh formula it stands for, so that the file runs anywhere.

use brickwork_tensor::Nd;

use crate::attrs::{Attr, Literal};
use crate::error::OpError;
use crate::read::{Form, Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    reading.shape(0)?;
    let (input, output) = (&reading.form.inputs[0], &reading.form.outputs[0]);
    let mut formula = Formula { output, constants: Vec::new(), steps: Vec::new() };
    let half = formula.constant(0.5);
    let one = formula.constant(1.0);
    let bent = match reading.text_or("approximate", "none")?.as_str() {
        // x * (1 + erf(x / sqrt 2)) / 2
        "none" => {
            let root = formula.constant(std::f64::consts::SQRT_2);
            let scaled = formula.step("Div", &[input, &root]);
            formula.step("Erf", &[&scaled])
        }
        // x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2
        "tanh" => {
            let (cubic, three) = (formula.constant(0.044_715), formula.constant(3.0));
            let slope = formula.constant((2.0 / std::f64::consts::PI).sqrt());
            let cube = formula.step("Pow", &[input, &three]);
            let small = formula.step("Mul", &[&cube, &cubic]);
            let sum = formula.step("Add", &[input, &small]);
            let scaled = formula.step("Mul", &[&sum, &slope]);
            formula.step("Tanh", &[&scaled])
        }
        other => {
            return Err(OpError::new(format!(
                "attribute `approximate` is `{other}`, expected none or tanh"
            )));
        }
    };
    let open = formula.step("Add", &[&bent, &one]);
    let gated = formula.step("Mul", &[input, &open]);
    formula.last("Mul", &[&gated, &half]);
    Ok(Read::Expand([formula.constants, formula.steps].concat()))
}

/// Nodes that together make `output`.
struct Formula<'a> {
    output: &'a str,
    constants: Vec<Form>,
    steps: Vec<Form>,
}

impl Formula<'_> {
    /// Adds a number; gives its name.
    fn constant(&mut self, value: f64) -> String {
        let name = format!("{}.gelu.c{}", self.output, self.constants.len());
        let attr = Attr::Literal(Literal::Floats(Nd::scalar(value as f32)));
        self.constants.push(Form {
            name: name.clone(),
            kind: "Constant".to_owned(),
            outputs: vec![name.clone()],
            attrs: [("value".to_owned(), attr)].into(),
            ..Form::default()
        });
        name
    }

    /// Adds a node; gives the name of its result.
    fn step(&mut self, kind: &str, inputs: &[&str]) -> String {
        let name = self.next();
        self.add(kind, inputs, name.clone());
        name
    }

    /// Adds the node whose result is the output.
    fn last(&mut self, kind: &str, inputs: &[&str]) {
        self.add(kind, inputs, self.output.to_owned());
    }

    fn next(&self) -> String {
        format!("{}.gelu{}", self.output, self.steps.len() + 1)
    }

    fn add(&mut self, kind: &str, inputs: &[&str], result: String) {
        self.steps.push(Form {
            name: format!("{}.{kind}", self.next()),
            kind: kind.to_owned(),
            inputs: inputs.iter().map(|&name| name.to_owned()).collect(),
            outputs: vec![result],
            ..Form::default()
        });
    }
}
