//! Outputs that tell which classes have the highest scores, in place of scores or beside them. They are left out: of a
//! file that has nothing else, the scores are read among which its classes are chosen.

use std::collections::{BTreeMap, BTreeSet};

use brickwork_formats::onnx::{NodeOutline, Outline, Port};

use crate::model::looks::is_float;

/// Operators that choose among the numbers of their first operand.
const CHOOSING: [&str; 2] = ["ArgMax", "TopK"];

/// What is read of a file in place of its outputs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scores {
    /// By name.
    pub(crate) outputs: Vec<String>,
    /// Whether they are no outputs of the file.
    pub(crate) inner: bool,
    /// What is said of it.
    pub(crate) note: String,
}

impl Scores {
    /// Of the model that is `called` so; `None` if its outputs may stay.
    pub(crate) fn of(called: &str, outline: &Outline) -> Option<Self> {
        let file = File::of(outline);
        let (best, others): (Vec<&Port>, Vec<&Port>) =
            outline.outputs.iter().partition(|port| !file.choices(port).is_empty());
        let (scores, odd): (Vec<&Port>, Vec<&Port>) =
            others.into_iter().partition(|port| is_float(port));
        let names = |ports: &[&Port]| ports.iter().map(|port| port.name.clone()).collect();
        let left_out = || words(best.iter().chain(&odd).map(|port| &port.name[..]));
        match (&scores[..], &best[..]) {
            ([], []) => None,
            ([], _) => {
                let scores =
                    file.last(best.iter().flat_map(|port| file.choices(port)).collect())?;
                let note = format!(
                    "`{called}` gives the best classes ({}); `{scores}`, among which they are chosen, is taken for \
                     the class scores in their place",
                    left_out()
                );
                Some(Self { outputs: vec![scores.to_owned()], inner: true, note })
            }
            (_, []) if odd.is_empty() => None,
            _ => {
                let note = format!(
                    "outputs of `{called}` that are no scores are left out: {}",
                    left_out()
                );
                Some(Self { outputs: names(&scores), inner: false, note })
            }
        }
    }
}

/// Names in backticks.
fn words<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The nodes of a file by what they make.
struct File<'a>(BTreeMap<&'a str, &'a NodeOutline>);

impl<'a> File<'a> {
    fn of(outline: &'a Outline) -> Self {
        let made = |node: &'a NodeOutline| node.outputs.iter().map(move |name| (&name[..], node));
        Self(outline.nodes.iter().flat_map(made).collect())
    }

    /// The values that `name` is made of, by way of nodes that `go_on`; those that are made by others, too.
    fn sources(&self, name: &'a str, go_on: impl Fn(&NodeOutline) -> bool) -> BTreeSet<&'a str> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![name]);
        while let Some(name) = open.pop() {
            let node = self.0.get(name).filter(|_| seen.insert(name));
            open.extend(
                node.filter(|node| go_on(node))
                    .iter()
                    .flat_map(|node| &node.inputs)
                    .map(|n| &n[..]),
            );
        }
        seen
    }

    /// The values among whose numbers an output was chosen: by the node that makes it, or, of an output of other numbers
    /// than floats, by one from which no layer leads to it.
    fn choices(&self, output: &'a Port) -> Vec<&'a str> {
        let chooses = |node: &NodeOutline| CHOOSING.contains(&&node.kind[..]);
        let direct = is_float(output);
        let go_on = |node: &NodeOutline| !direct && !node.weighted && !chooses(node);
        let found =
            self.sources(&output.name, go_on).into_iter().filter_map(|name| self.0.get(name));
        found
            .filter(|node| chooses(node))
            .filter_map(|node| Some(&node.inputs.first()?[..]))
            .collect()
    }

    /// Of several values the one that is made of all others.
    fn last(&self, values: Vec<&'a str>) -> Option<&'a str> {
        values.iter().copied().find(|value| {
            let sources = self.sources(value, |_| true);
            sources.contains(value) && values.iter().all(|other| sources.contains(other))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(elements: &str, name: &str) -> Port {
        Port { name: name.to_owned(), elements: elements.to_owned(), extents: None }
    }

    /// Nodes written as `kind: operands > results`; `W` is an array of the file.
    fn outline(nodes: &[&str], outputs: &[Port]) -> Outline {
        let names =
            |list: &str| list.split_whitespace().map(str::to_owned).collect::<Vec<String>>();
        let node = |text: &&str| {
            let (kind, rest) = text.split_once(':').expect("a kind");
            let (inputs, made) = rest.split_once('>').expect("results");
            let (inputs, outputs) = (names(inputs), names(made));
            let weighted = inputs.contains(&"W".to_owned());
            NodeOutline { kind: kind.to_owned(), inputs, outputs, weighted }
        };
        let nodes = nodes.iter().map(node).collect();
        Outline { inputs: vec![port("float32", "x")], outputs: outputs.to_vec(), nodes }
    }

    const SCORES: [&str; 2] = ["Gemm: x W > z", "Softmax: z > p"];

    fn read(nodes: &[&str], outputs: &[Port]) -> Option<Vec<String>> {
        let nodes = [&SCORES[..], nodes].concat();
        Scores::of("net", &outline(&nodes, outputs)).map(|scores| scores.outputs)
    }

    #[test]
    fn classes_beside_scores_are_left_out() {
        let [p, label] = [port("float32", "p"), port("int64", "label")];
        let chosen = ["ArgMax: p > a", "Cast: a > label"];
        assert_eq!(read(&chosen, &[label.clone(), p.clone()]), Some(vec!["p".to_owned()]));
        let top = ["TopK: p k > values places"];
        let three = [port("float32", "values"), port("int64", "places"), p.clone()];
        assert_eq!(read(&top, &three), Some(vec!["p".to_owned()]));
        assert_eq!(read(&[], std::slice::from_ref(&p)), None);
        assert_eq!(read(&[], &[p.clone(), port("float32", "z")]), None);
        let sure = ["Greater: p half > sure"];
        assert_eq!(read(&sure, &[p, port("bool", "sure")]), Some(vec!["p".to_owned()]));
    }

    #[test]
    fn of_classes_alone_the_scores_are_found() {
        let label = port("int64", "label");
        assert_eq!(
            read(&["ArgMax: z > label"], std::slice::from_ref(&label)),
            Some(vec!["z".to_owned()])
        );
        let both = ["ArgMax: z > label", "TopK: p k > values places"];
        let outputs = [label, port("float32", "values"), port("int64", "places")];
        assert_eq!(read(&both, &outputs), Some(vec!["p".to_owned()]));
        let apart = ["Gemm: x W > other", "ArgMax: z > label", "ArgMax: other > places"];
        assert_eq!(read(&apart, &[outputs[0].clone(), outputs[2].clone()]), None);
    }

    #[test]
    fn what_is_chosen_inside_of_a_network_stays() {
        let inside = ["TopK: z k > best places", "Gemm: best W > y"];
        assert_eq!(read(&inside, &[port("float32", "y")]), None);
        let mixed = ["TopK: p k > best places", "Mul: best y > out"];
        assert_eq!(read(&mixed, &[port("float32", "out")]), None);
        assert_eq!(read(&[], &[port("int64", "x")]), None);
    }
}
