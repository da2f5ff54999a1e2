//! A readable form of graphs, for tests, logs and people.

use std::fmt::{self, Write};

use crate::attrs::{Attr, Literal};
use crate::graph::{Graph, Node};
use crate::op::{Spec, SpecInput};

impl fmt::Display for Graph {
    /// One line per input, node and output:
    /// `y [n, 16, 32, 32] = Conv(x, w [16, 3, 3, 3]) group=1 pads=[1, 1, 1, 1]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &input in &self.inputs {
            writeln!(f, "input {} {}", self.value(input).name, self.value(input).shape)?;
        }
        for node in &self.nodes {
            writeln!(f, "{}", self.line(node))?;
        }
        for &output in &self.outputs {
            writeln!(f, "output {}", self.value(output).name)?;
        }
        Ok(())
    }
}

impl Graph {
    fn line(&self, node: &Node) -> String {
        let spec = node.op.spec();
        let mut line = String::new();
        for (k, &output) in node.outputs.iter().enumerate() {
            let value = self.value(output);
            let _ =
                write!(line, "{}{} {}", if k == 0 { "" } else { ", " }, value.name, value.shape);
        }
        let _ = write!(line, " = {}(", node.op.kind());
        let mut inputs: Vec<String> = node
            .inputs
            .iter()
            .map(|input| match input.map(|id| self.value(id)) {
                None => "-".to_owned(),
                Some(value) if value.constant.is_some() => {
                    format!("{} {}", value.name, value.shape)
                }
                Some(value) => value.name.clone(),
            })
            .collect();
        while inputs.last().is_some_and(|last| last == "-") {
            inputs.pop();
        }
        let _ = write!(line, "{})", inputs.join(", "));
        append_attrs(&mut line, &spec);
        line
    }
}

fn append_attrs(line: &mut String, spec: &Spec) {
    for (name, attr) in &spec.attrs {
        let _ = match attr {
            Attr::Int(x) => write!(line, " {name}={x}"),
            Attr::Float(x) => write!(line, " {name}={x}"),
            Attr::Text(x) => write!(line, " {name}={x}"),
            Attr::Ints(list) => write!(line, " {name}={list:?}"),
            Attr::Floats(list) => write!(line, " {name}={list:?}"),
            other => write!(line, " {name}={other:?}"),
        };
    }
    for input in &spec.inputs {
        if let SpecInput::Literal(name, literal) = input {
            let _ = match literal {
                Literal::Ints(data) => write!(line, " {name}={:?}", data.data()),
                Literal::Floats(data) => write!(line, " {name}={:?}", data.data()),
            };
        }
    }
}
