//! What a model that is no image classifier looks like, told from what its file says of its inputs, outputs
//! and operators.

use brickwork_formats::onnx::{Outline, Port};
use brickwork_graph::{Dim, Graph, Shape, ValueId};

/// Samples of sound: inputs shorter than this are no audio.
const SHORTEST_SOUND: usize = 1000;
/// Places that a detector looks at: outputs of fewer rows are sequences.
const FEWEST_PLACES: usize = 1000;
/// A picture of scores has at least such sides.
const SMALLEST_PICTURE: usize = 8;

/// Why a model is no image classifier, in one sentence; `None` if nothing speaks against it. Where scores
/// are `named` by whoever reads the model, outputs are not looked at.
pub(crate) fn problem(called: &str, outline: &Outline, named: bool) -> Option<String> {
    let say = |found: String| {
        format!(
            "`{called}` is no image classifier: expected one input [n, c, h, w] and one output of scores \
             [n, k], found {found}"
        )
    };
    if let Some(found) = quantised(outline) {
        return Some(format!("`{called}` {found}"));
    }
    if let Some(found) = unlike_image(&outline.inputs) {
        return Some(say(found));
    }
    if let Some(problem) = other_numbers(&outline.inputs) {
        return Some(format!("`{called}` {problem}"));
    }
    if named {
        return None;
    }
    unlike_scores(outline).map(say)
}

/// The outline of a graph in memory.
pub(crate) fn outline(graph: &Graph) -> Outline {
    let port = |id: &ValueId| {
        let value = graph.value(*id);
        let extent = |dim: &Dim| dim.fixed();
        Port {
            name: value.name.clone(),
            elements: "float32".to_owned(),
            extents: Some(value.shape.0.iter().map(extent).collect()),
        }
    };
    let ports = |ids: &[ValueId]| ids.iter().map(port).collect();
    let (inputs, outputs) = (ports(graph.inputs()), ports(graph.outputs()));
    Outline { inputs, outputs, ..Outline::default() }
}

/// Whether scores of this shape have one axis of classes: `[n, k]`, or the like with axes of one.
pub(crate) fn are_scores(shape: &Shape) -> bool {
    let large = shape.0.iter().filter(|dim| dim.fixed().is_some_and(|extent| extent > 1));
    large.count() <= 1 && shape.rank() > 0
}

/// What speaks of whole numbers in place of floats.
fn quantised(outline: &Outline) -> Option<String> {
    let tells = |kind: &str| {
        kind.ends_with("uantizeLinear")
            || kind.starts_with("QLinear")
            || kind.ends_with("Integer")
            || kind.starts_with("QGemm")
            || kind.ends_with("NBits")
    };
    let operators = outline.operators().into_iter().filter(|(kind, _)| tells(kind));
    let counted: Vec<String> = operators.map(|(kind, count)| format!("{count} {kind}")).collect();
    (!counted.is_empty()).then(|| {
        format!(
            "is quantised ({}), but channels are cut of networks of 32-bit floats; take the float model it was \
             made of, and quantise what comes out",
            counted.join(", ")
        )
    })
}

/// What inputs look like that are no picture.
fn unlike_image(inputs: &[Port]) -> Option<String> {
    let listed: Vec<String> = inputs.iter().map(|port| format!("`{}` {port}", port.name)).collect();
    let whole = |port: &&Port| matches!(&port.elements[..], "int64" | "int32" | "string");
    let rank = |port: &Port| port.extents.as_ref().map(Vec::len);
    if let Some(words) = inputs.iter().filter(whole).find(|port| rank(port) < Some(4)) {
        let found = match inputs.len() {
            1 => format!("input {words}"),
            _ => format!("inputs {}", listed.join(", ")),
        };
        return Some(format!("{found}, which looks like text in tokens"));
    }
    let [only] = inputs else {
        return Some(match inputs.len() {
            0 => "no input".to_owned(),
            count => format!("{count} inputs: {}", listed.join(", ")),
        });
    };
    let extents = only.extents.as_ref()?;
    let sound = |extent: Option<usize>| extent.is_none_or(|extent| extent >= SHORTEST_SOUND);
    let looks = match extents[..] {
        [_, _, _, _] => return None,
        [] | [_] => "like numbers, not pictures",
        [_, last] if sound(last) => "like audio (a waveform for each sample)",
        [_, _] => "like rows of a table or features",
        [_, Some(1 | 2), last] if sound(last) => "like audio (a waveform for each sample)",
        [_, _, _] => "like a sequence of vectors",
        [_, Some(1), _, _, _] => "like volumes, or video of one channel",
        [_, _, _, _, _] => "like video (several pictures for each sample)",
        _ => "like no picture",
    };
    Some(format!("input {only}, which looks {looks}"))
}

/// The problem of a picture whose elements are no floats of 32 or 16 bits.
fn other_numbers(inputs: &[Port]) -> Option<String> {
    let other = inputs.iter().find(|port| !is_float(port) && port.elements != "none")?;
    Some(format!(
        "takes images of {} (input `{}`), expected float32 or float16; export it without the step that makes floats \
         of them",
        other.elements, other.name
    ))
}

/// Whether the elements are floats that are read.
pub(crate) fn is_float(port: &Port) -> bool {
    matches!(&port.elements[..], "float32" | "float16" | "bfloat16")
}

/// What outputs look like that are no scores of classes.
fn unlike_scores(outline: &Outline) -> Option<String> {
    let outputs = &outline.outputs;
    let listed: Vec<String> =
        outputs.iter().map(|port| format!("`{}` {port}", port.name)).collect();
    let found = match &listed[..] {
        [_] => format!("output {}", outputs[0]),
        _ => format!("outputs {}", listed.join(", ")),
    };
    let boxes = outline.nodes.iter().any(|node| tells_of_boxes(&node.kind));
    if boxes || has_boxes(outputs) {
        return Some(format!("{found}, which looks like a detector's boxes"));
    }
    let suits = |port: &&Port| is_float(port) && port.extents.as_deref().is_none_or(suits);
    if outputs.iter().any(|port| suits(&port)) {
        let named = outputs.iter().filter(suits).all(|port| names_embedding(&port.name));
        return named.then(|| format!("{found}, which looks like an embedding, not like scores"));
    }
    let looks = looks_of(&outline.inputs, outputs.first()?, outputs.len());
    Some(format!("{found}, which looks {looks}"))
}

/// Whether extents are those of scores, as far as they are stated.
fn suits(extents: &[Option<usize>]) -> bool {
    let large = extents.iter().skip(1).filter(|extent| extent.is_some_and(|extent| extent > 1));
    let open = extents.iter().skip(1).filter(|extent| extent.is_none()).count();
    match extents.len() {
        0 => false,
        1 | 2 => true,
        _ => large.count() <= 1 && open <= 1,
    }
}

/// Whether an operator only makes sense in detectors.
fn tells_of_boxes(kind: &str) -> bool {
    kind.contains("NonMaxSuppression") || kind.contains("NMS") || kind.contains("RoiAlign")
}

/// Whether outputs are boxes with what they hold, by name or by four numbers for each of many places.
fn has_boxes(outputs: &[Port]) -> bool {
    let four = |port: &Port| {
        let extents = port.extents.as_deref().unwrap_or_default();
        extents.len() >= 3 && extents.last() == Some(&Some(4))
    };
    let named = |port: &Port| port.name.to_lowercase().contains("box");
    outputs.len() > 1 && outputs.iter().any(|port| four(port) || named(port))
}

fn names_embedding(name: &str) -> bool {
    let name = name.to_lowercase();
    ["embed", "feature", "latent", "descriptor"].iter().any(|word| name.contains(word))
}

/// What an output looks like that has no axis of classes, or that is of no floats.
fn looks_of(inputs: &[Port], output: &Port, count: usize) -> &'static str {
    if !is_float(output) {
        return "like numbers of classes, not like their scores; name a value with scores \
                (`scores=NAME`)";
    }
    let image = inputs.first().and_then(|port| port.extents.as_deref()).unwrap_or_default();
    match output.extents.as_deref().unwrap_or_default() {
        [_, _, _, _] if count > 1 => "like a detector's maps, or features of several sizes",
        [_, channels, sides @ ..] if sides.len() == 2 => {
            let large = |side: &Option<usize>| side.is_none_or(|side| side >= SMALLEST_PICTURE);
            let picture = *channels == Some(3) && image.get(1) == Some(&Some(3));
            match sides.iter().all(large) {
                true if picture => "like a picture made of a picture",
                true => {
                    "like segmentation (scores for every place); if it classifies whole images, say along \
                     which axis the classes lie (`class_axis=1`), and scores are averaged over the others"
                }
                false => {
                    "like a map of features; if its channels are classes, say so (`class_axis=1`), and scores \
                     are averaged over the others"
                }
            }
        }
        [_, a, b] => {
            let least = a.unwrap_or(usize::MAX).min(b.unwrap_or(usize::MAX));
            let most = a.unwrap_or(0).max(b.unwrap_or(0));
            match most >= FEWEST_PLACES && least >= 5 {
                true => "like a detector's boxes",
                false => {
                    "like a sequence (scores or features for every place); if it classifies whole images, \
                     say along which axis the classes lie (`class_axis=2`), and scores are averaged over the \
                     others"
                }
            }
        }
        [_, _, _, _, _] => "like a detector's maps",
        _ => "like no scores of classes",
    }
}

#[cfg(test)]
mod tests {
    use brickwork_formats::onnx::NodeOutline;

    use super::*;

    fn port(elements: &str, extents: &[usize]) -> Port {
        // 0 stands for an extent that is open.
        let extents = extents.iter().map(|&extent| Some(extent).filter(|extent| *extent > 0));
        Port {
            name: "a".to_owned(),
            elements: elements.to_owned(),
            extents: Some(extents.collect()),
        }
    }

    fn said(inputs: &[Port], outputs: &[Port], operators: &[(&str, usize)]) -> Option<String> {
        let node = |kind: &str| NodeOutline { kind: kind.to_owned(), ..NodeOutline::default() };
        let nodes = operators.iter().flat_map(|&(kind, count)| vec![node(kind); count]);
        let outline =
            Outline { inputs: inputs.to_vec(), outputs: outputs.to_vec(), nodes: nodes.collect() };
        problem("net", &outline, false)
    }

    #[test]
    fn what_takes_no_pictures_is_told() {
        let scores = [port("float32", &[0, 10])];
        for (input, looks) in [
            (port("float32", &[0, 1, 16000]), "audio"),
            (port("float32", &[0, 0]), "audio"),
            (port("float32", &[0, 16]), "rows of a table"),
            (port("float32", &[0, 196, 768]), "a sequence of vectors"),
            (port("float32", &[0, 3, 16, 112, 112]), "video"),
            (port("int64", &[0, 128]), "text in tokens"),
        ] {
            let told = said(std::slice::from_ref(&input), &scores, &[]).expect("told");
            assert!(told.contains(looks) && told.contains(&input.to_string()), "{told}");
        }
        let image = port("float32", &[0, 3, 8, 8]);
        let both = said(&[image.clone(), image], &scores, &[]).expect("told");
        assert!(both.contains("found 2 inputs: `a` [n, 3, 8, 8], `a` [n, 3, 8, 8]"), "{both}");
    }

    #[test]
    fn what_gives_no_scores_is_told() {
        let image = [port("float32", &[0, 3, 224, 224])];
        for (outputs, looks) in [
            (vec![port("float32", &[0, 84, 8400])], "a detector's boxes"),
            (vec![port("float32", &[0, 100, 4]), port("float32", &[0, 100, 91])], "boxes"),
            (vec![port("float32", &[0, 21, 224, 224])], "segmentation"),
            (vec![port("float32", &[0, 3, 448, 448])], "a picture made of a picture"),
            (vec![port("float32", &[0, 512, 7, 7])], "a map of features"),
            (vec![port("float32", &[0, 197, 768])], "a sequence"),
            (vec![port("int64", &[0])], "numbers of classes"),
            (vec![port("float32", &[0, 3, 80, 80, 85]); 3], "a detector's maps"),
        ] {
            let told = said(&image, &outputs, &[]).expect(looks);
            assert!(told.contains(looks), "{told}");
            assert!(!told.contains("Some"), "{told}");
        }
        let embedding = Port { name: "image_embeds".to_owned(), ..port("float32", &[0, 512]) };
        assert!(said(&image, &[embedding], &[]).expect("told").contains("an embedding"));
        let boxes = said(&image, &[port("float32", &[0, 6])], &[("NonMaxSuppression", 1)]);
        assert!(boxes.expect("told").contains("a detector"));
    }

    #[test]
    fn numbers_are_told_in_words_and_once() {
        let scores = [port("float32", &[0, 10])];
        let operators = [("Conv", 3), ("QuantizeLinear", 27), ("DequantizeLinear", 40)];
        let told = said(&[port("uint8", &[0, 3, 8, 8])], &scores, &operators).expect("told");
        assert!(told.contains("quantised (40 DequantizeLinear, 27 QuantizeLinear)"), "{told}");
        for elements in ["uint8", "float64"] {
            let told = said(&[port(elements, &[0, 3, 8, 8])], &scores, &[]).expect("told");
            assert!(
                told.contains(&format!("of {elements} (input `a`), expected float32")),
                "{told}"
            );
        }
    }

    #[test]
    fn classifiers_of_every_form_pass() {
        let image = [port("float32", &[0, 3, 0, 0])];
        let half = [port("float16", &[0, 3, 8, 8])];
        assert_eq!(said(&half, &[port("float16", &[0, 10])], &[]), None);
        for output in [&[0, 10][..], &[0], &[0, 1], &[0, 0], &[0, 10, 1, 1], &[0, 1, 10], &[10, 0]]
        {
            assert_eq!(said(&image, &[port("float32", output)], &[]), None, "{output:?}");
        }
        let aux = [port("float32", &[0, 10]), port("float32", &[0, 512, 7, 7])];
        assert_eq!(said(&image, &aux, &[]), None);
    }
}
