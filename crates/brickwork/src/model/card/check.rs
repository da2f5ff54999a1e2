//! Whether what a card says can be true of a graph. A file's metadata is input like any other.

use brickwork_graph::Graph;

use super::{Card, Moments, Origin, Part};
use crate::model::layers::layers;

impl Card {
    /// All that contradicts a classifier's graph, as ends of a sentence that begins with the metadata.
    /// `input` is its channels, height and width.
    pub(crate) fn problems(&self, graph: &Graph, scores: usize, input: [usize; 3]) -> Vec<String> {
        let mut found = self.class_problems(scores);
        found.extend(self.preprocess_problem(input));
        found.extend(self.head.as_ref().and_then(|head| head.problem(scores)));
        if let Some(origin) = &self.origin {
            found.extend(origin.problems(scores, "it"));
            found.extend(origin.kept_problems(graph));
        }
        if let Some(moments) = &self.moments {
            found.extend(moments.problem(scores, "its"));
        }
        found.extend(self.parts.iter().flat_map(|part| part.problems(scores)));
        found.extend(self.calibration_problem());
        if self.reject.is_some_and(|reject| reject.threshold.is_nan()) {
            found.push("has a threshold that is no number".to_owned());
        }
        found
    }

    /// Problems of the class names of a model with so many scores.
    pub(crate) fn class_problems(&self, scores: usize) -> Vec<String> {
        let named = self.classes.len();
        let wrong = named > 0 && named != scores;
        wrong
            .then(|| format!("names {named} classes, but it has {scores} scores"))
            .into_iter()
            .collect()
    }

    fn preprocess_problem(&self, input: [usize; 3]) -> Option<String> {
        let own = self.preprocess.as_ref()?;
        if let Err(error) = own.validate() {
            return Some(format!("has preprocessing that is not valid: {error}"));
        }
        let [c, h, w] = input;
        ([own.channels, own.size[0], own.size[1]] != input).then(|| {
            format!(
                "says images are {}x{} with {} channels, but its input is {h}x{w} with {c}",
                own.size[0], own.size[1], own.channels
            )
        })
    }

    fn calibration_problem(&self) -> Option<String> {
        let note = self.calibration.as_ref()?;
        let raw: usize = self.parts.iter().map(|part| part.logits.len()).sum();
        if note.scale.len() != raw || note.shift.len() != raw {
            return Some(format!("calibrates other than its parts' {raw} scores"));
        }
        let finite = note.scale.iter().chain(&note.shift).all(|x| x.is_finite());
        (!finite).then(|| "calibrates by numbers that are not finite".to_owned())
    }
}

impl Origin {
    /// Problems of a component of so many classes; `what` is what is said to come from there.
    pub(crate) fn problems(&self, classes: usize, what: &str) -> Vec<String> {
        let mut found = Vec::new();
        let cut = self.classes.len();
        if cut != classes {
            found.push(format!("says {what} was cut to {cut} classes, but it has {classes}"));
        }
        if !self.classes.is_sorted_by(|a, b| a < b) {
            found.push(format!("lists the classes that {what} was cut to out of order"));
        }
        let all = self.of;
        let beyond = |class: &usize| *class >= all;
        let named = self.classes.iter().chain(self.samples.iter().map(|note| &note.class));
        if let Some(class) = named.into_iter().find(|class| beyond(class)) {
            found.push(format!("says {what} has class {class} of a source with {all}"));
        }
        for (layer, kept) in &self.kept {
            if !kept.input.is_sorted_by(|a, b| a < b) || !kept.output.is_sorted_by(|a, b| a < b) {
                found.push(format!(
                    "lists the channels that {what} keeps of layer `{layer}` out of order"
                ));
            }
        }
        found
    }

    /// Kept channels that are not as many as the layers of the graph have.
    fn kept_problems(&self, graph: &Graph) -> Vec<String> {
        let mut found = Vec::new();
        let layers = layers(graph);
        for (name, kept) in &self.kept {
            let Some(layer) = layers.iter().find(|layer| layer.name == *name) else {
                found.push(format!("says layer `{name}` keeps channels, but it has no such layer"));
                continue;
            };
            let own = (layer.weighted.inputs, layer.weighted.outputs);
            if own != (kept.input.len(), kept.output.len()) {
                found.push(format!(
                    "says layer `{name}` keeps {} inputs and {} outputs, but it has {} and {}",
                    kept.input.len(),
                    kept.output.len(),
                    own.0,
                    own.1
                ));
            }
        }
        found
    }
}

impl Part {
    fn problems(&self, scores: usize) -> Vec<String> {
        let (name, own) = (&self.name, self.classes.len());
        let mut found = Vec::new();
        if self.logits.len() != own || self.logits.iter().any(|&score| score >= scores) {
            found.push(format!("describes part `{name}` with scores it does not have"));
        }
        if let Err(error) = self.preprocess.validate() {
            found.push(format!("has preprocessing of part `{name}` that is not valid: {error}"));
        }
        let what = format!("part `{name}`");
        found.extend(self.origin.iter().flat_map(|origin| origin.problems(own, &what)));
        found.extend(self.moments.iter().filter_map(|moments| moments.problem(own, &what)));
        found
    }
}

impl Moments {
    fn problem(&self, classes: usize, whose: &str) -> Option<String> {
        let lists = self.means.iter().chain(&self.covariances);
        let lists = lists.chain([&self.foreign_mean, &self.foreign_covariance]);
        if !self.fit(classes) {
            return Some(format!(
                "has moments of {whose} scores that are not of {classes} classes"
            ));
        }
        let finite = lists.flatten().all(|x| x.is_finite());
        (!finite).then(|| format!("has moments of {whose} scores that are not finite"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::card::KeptLayer;

    fn origin(classes: &[usize], of: usize) -> Origin {
        let text = format!(
            r#"{{"source": "s", "fingerprint": "", "classes": {classes:?}, "of": {of}, "kept": {{}}, "checked": 0}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn origins_that_cannot_be_are_told() {
        assert!(origin(&[1, 4], 5).problems(2, "it").is_empty());
        for (classes, of, said) in [
            (&[][..], 5, "cut to 0 classes, but it has 2"),
            (&[4, 1], 5, "out of order"),
            (&[1, 1], 5, "out of order"),
            (&[1, 9], 5, "class 9 of a source with 5"),
        ] {
            let found = origin(classes, of).problems(2, "it").join("; ");
            assert!(found.contains(said), "{found}");
        }
        let mut twice = origin(&[0], 1);
        let layer = KeptLayer { input: vec![0, 0], output: vec![1] };
        twice.kept.insert("a".to_owned(), layer);
        assert!(twice.problems(1, "it").join("").contains("layer `a` out of order"));
    }
}
