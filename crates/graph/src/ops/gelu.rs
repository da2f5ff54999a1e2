//! Gelu (opset 20): written as the erf or tanh formula it stands for, so that the file runs anywhere.

use brickwork_tensor::Nd;

use crate::attrs::{Attr, Literal};
use crate::error::OpError;
use crate::read::{Form, Read, Reading};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    reading.shape(0)?;
    let (input, output) = (&reading.form.inputs[0], &reading.form.outputs[0]);
    let mut forms = Vec::new();
    let mut last = 0;
    let mut step = |kind: &str, inputs: &[&str], result: Option<&str>| {
        last += 1;
        let name = result.map_or_else(|| format!("{output}.gelu{last}"), str::to_owned);
        forms.push(Form {
            name: format!("{output}.gelu{last}.{kind}"),
            kind: kind.to_owned(),
            inputs: inputs.iter().map(|&name| name.to_owned()).collect(),
            outputs: vec![name.clone()],
            ..Form::default()
        });
        name
    };
    let mut constants = Vec::new();
    let mut constant = |value: f64| {
        let name = format!("{output}.gelu.c{}", constants.len());
        let attr = Attr::Literal(Literal::Floats(Nd::scalar(value as f32)));
        constants.push(Form {
            name: name.clone(),
            kind: "Constant".to_owned(),
            outputs: vec![name.clone()],
            attrs: [("value".to_owned(), attr)].into(),
            ..Form::default()
        });
        name
    };
    let half = constant(0.5);
    let one = constant(1.0);
    let bent = match reading.text_or("approximate", "none")?.as_str() {
        // x * (1 + erf(x / sqrt 2)) / 2
        "none" => {
            let root = constant(std::f64::consts::SQRT_2);
            let scaled = step("Div", &[input, &root], None);
            step("Erf", &[&scaled], None)
        }
        // x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2
        "tanh" => {
            let (cubic, three) = (constant(0.044_715), constant(3.0));
            let slope = constant((2.0 / std::f64::consts::PI).sqrt());
            let cube = step("Pow", &[input, &three], None);
            let small = step("Mul", &[&cube, &cubic], None);
            let sum = step("Add", &[input, &small], None);
            let scaled = step("Mul", &[&sum, &slope], None);
            step("Tanh", &[&scaled], None)
        }
        other => {
            return Err(OpError::new(format!(
                "attribute `approximate` is `{other}`, expected none or tanh"
            )));
        }
    };
    let open = step("Add", &[&bent, &one], None);
    let gated = step("Mul", &[input, &open], None);
    step("Mul", &[&gated, &half], Some(output));
    constants.extend(forms);
    Ok(Read::Expand(constants))
}
