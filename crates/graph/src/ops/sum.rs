//! Sum of any number of values: written as additions, two at a time.

use crate::error::OpError;
use crate::read::{Form, Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let (inputs, output) = (&reading.form.inputs, &reading.form.outputs[0]);
    reading.shape(0)?;
    let name = if reading.form.name.is_empty() { output } else { &reading.form.name };
    let binary = |kind: &str, name: String, inputs: Vec<String>, output: String| Form {
        name,
        kind: kind.to_owned(),
        inputs,
        outputs: vec![output],
        ..Form::default()
    };
    if inputs.len() == 1 {
        return Ok(Read::Expand(vec![binary(
            "Identity",
            name.clone(),
            inputs.clone(),
            output.clone(),
        )]));
    }
    let mut forms = Vec::new();
    let mut total = inputs[0].clone();
    for (k, input) in inputs.iter().enumerate().skip(1) {
        let last = k + 1 == inputs.len();
        let sum = if last { output.clone() } else { format!("{output}.sum{k}") };
        let name = if last { name.clone() } else { format!("{name}.sum{k}") };
        forms.push(binary("Add", name, vec![total, input.clone()], sum.clone()));
        total = sum;
    }
    Ok(Read::Expand(forms))
}
