//! What was measured.

use maud::{Markup, html};

use super::Reported;
use crate::show::{Fact, difference_words, facts, measured, thousands, values};
use crate::verbs::{
    Bench, Doctor, DoctorAnswer, Eval, EvalAnswer, GcnEval, Masks, Probe, Profile, ProfileAnswer,
    Severity, Verify, VerifyAnswer,
};

impl Reported for Eval {
    fn title(&self, answer: &EvalAnswer) -> String {
        let name = self.model.model.file_stem().unwrap_or_default().to_string_lossy();
        format!("{name}: {}", answer.report.accuracy_per_image)
    }

    fn lead(&self, answer: &EvalAnswer) -> Option<String> {
        let missing = answer.data.without_images.len();
        let all = missing + answer.report.accuracy_per_class.len();
        (missing > 0).then(|| {
            format!(
                "These figures are of {} of {all} classes; the others have no images.",
                all - missing
            )
        })
    }

    fn body(&self, answer: &EvalAnswer) -> Markup {
        let mut size = vec![
            Fact::new("parameters", thousands(answer.params as u64)),
            Fact::new("multiply-accumulates", thousands(answer.macs)),
            Fact::new("bytes of its file", thousands(answer.file_bytes)),
        ];
        if let Some(ms) = answer.latency_ms {
            let time = Fact::new("time of one image here", format!("{ms:.2} ms"));
            size.push(match answer.source_latency_ms {
                Some(before) => time.was(format!("{before:.2} ms")).left(ms / before),
                None => time,
            });
        }
        html! {
            (measured(&answer.report, self.source.is_some()))
            h2 { "Size and time" }
            (facts("What it costs", &size))
            h2 { "Images" }
            (values("What the data holds", &serde_json::to_value(&answer.data).unwrap_or_default()))
        }
    }
}

impl Reported for Doctor {
    fn title(&self, answer: &DoctorAnswer) -> String {
        answer.model.name.clone()
    }

    fn lead(&self, answer: &DoctorAnswer) -> Option<String> {
        answer.findings.is_empty().then(|| "Nothing looks wrong.".to_owned())
    }

    fn body(&self, answer: &DoctorAnswer) -> Markup {
        let word = |severity: Severity| match severity {
            Severity::Wrong => ["bad", "Wrong"],
            Severity::Doubtful => ["warn", "Doubtful"],
        };
        let all = serde_json::to_value(answer).unwrap_or_default();
        html! {
            @if !answer.findings.is_empty() {
                h2 { "Findings" }
                ul { @for one in &answer.findings {
                    @let [class, word] = word(one.severity);
                    li { strong class=(class) { (word) } ": " (one.message) }
                } }
            }
            h2 { "What was looked at" }
            (values("", &all))
        }
    }
}

impl Reported for Probe {}

impl Reported for Profile {
    fn title(&self, answer: &ProfileAnswer) -> String {
        format!("{}, profiled", answer.model)
    }
}

impl Reported for Verify {
    fn title(&self, answer: &VerifyAnswer) -> String {
        format!("{}, verified", answer.model)
    }

    fn lead(&self, answer: &VerifyAnswer) -> Option<String> {
        let found = &answer.verification;
        let word = if found.holds { "It computes" } else { "It does not compute" };
        Some(format!(
            "{word} what it was made of does: largest difference {}, {:.0e} is allowed.",
            difference_words(found.worst),
            found.tolerance
        ))
    }
}

impl Reported for Masks {}

impl Reported for Bench {}

impl Reported for GcnEval {}
