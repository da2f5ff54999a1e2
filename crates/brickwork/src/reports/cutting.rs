//! What was cut: disassemble, compress, and the same of networks over nodes.

use maud::{Markup, html};

use super::Reported;
use crate::model::percent::Percent;
use crate::show::frontier::Frontier;
use crate::show::{
    Brick, Fact, bricks, chart, counted, difference_words, facts, held_out_words, kept_channels,
    table, thousands, values,
};
use crate::verbs::{
    Compress, CompressAnswer, Disassemble, DisassembleAnswer, GcnDisassemble, Shrunk,
};

impl Reported for Disassemble {
    fn title(&self, answer: &DisassembleAnswer) -> String {
        format!("{} from {}", crate::show::class_words(&answer.classes), answer.source)
    }

    fn lead(&self, answer: &DisassembleAnswer) -> Option<String> {
        let share = |size: Shrunk| Percent::ratio(size.after, size.before);
        Some(format!(
            "A component for {} with {:.1} of its source’s parameters and {:.1} of its multiply-accumulates, cut \
             without training.",
            counted_classes(answer.classes.len()),
            share(answer.params),
            share(answer.macs)
        ))
    }

    fn body(&self, answer: &DisassembleAnswer) -> Markup {
        html! {
            (bricks(&[brick_of(answer)]))
            h2 { "How large it is" }
            (facts("The whole model, and what was cut out of it", &sizes(answer)))
            @if let Some(walk) = &answer.walk {
                @let frontier = Frontier { source: &answer.source, points: &walk.frontier, chosen: walk.chosen };
                h2 { "The way down" }
                @if let Some(held) = walk.held_out {
                    p { "Measured: " (held_out_words(walk.measure, held, walk.held_out_split)) "." }
                }
                (chart(&frontier.chart()))
                (frontier.table())
            }
            h2 { "Channels kept" }
            (kept_channels("Output channels of every layer that are left", &answer.stages, &answer.layers))
            h2 { "How far to trust it" }
            (facts("What was checked", &checks(answer)))
            @if let Some(data) = &answer.data {
                h2 { "Images" }
                (values("What the data holds", &serde_json::to_value(data).unwrap_or_default()))
            }
        }
    }
}

fn counted_classes(count: usize) -> String {
    if count == 1 { "1 class".to_owned() } else { format!("{} classes", thousands(count as u64)) }
}

fn brick_of(answer: &DisassembleAnswer) -> Brick {
    let written = answer.output.as_ref().and_then(|path| path.file_stem());
    let name = written
        .map_or_else(|| answer.component.name.clone(), |stem| stem.to_string_lossy().into_owned());
    let mut brick = Brick::new(&name, &answer.classes, 0).fact("cut from", &*answer.source);
    if let Some(found) =
        answer.walk.as_ref().and_then(|walk| walk.frontier.get(walk.chosen)?.accuracy)
    {
        brick = brick.fact("accuracy, held out", found.to_string());
    }
    brick
        .fact("parameters", thousands(answer.params.after))
        .fact("MACs", thousands(answer.macs.after))
}

fn sizes(answer: &DisassembleAnswer) -> Vec<Fact> {
    let size = |name: &str, size: Shrunk| {
        let share = Percent::ratio(size.after, size.before).share();
        Fact::new(name, thousands(size.after)).was(thousands(size.before)).left(share)
    };
    let mut all =
        vec![size("parameters", answer.params), size("multiply-accumulates", answer.macs)];
    all.extend(answer.speed.iter().map(|time| {
        let name =
            format!("{} on {}", counted(time.batch, "image"), counted(time.threads, "thread"));
        Fact::new(&name, format!("{:.2} ms", time.after_ms))
            .was(format!("{:.2} ms", time.before_ms))
            .left(time.after_ms / time.before_ms)
    }));
    let chosen = answer
        .walk
        .as_ref()
        .and_then(|walk| Some([walk.frontier.first()?, walk.frontier.get(walk.chosen)?]));
    if let Some([Some(before), Some(after)]) = chosen.map(|ends| ends.map(|point| point.accuracy)) {
        all.push(Fact::new("accuracy, held out", after.to_string()).was(before.to_string()));
    }
    if let Some(time) = answer.walk.as_ref().and_then(|walk| walk.by_table.as_ref()) {
        let fact =
            Fact::new(&format!("by table, {}", time.runtime), format!("{:.2} ms", time.after_ms));
        all.push(
            fact.was(format!("{:.2} ms", time.before_ms)).left(time.after_ms / time.before_ms),
        );
    }
    all
}

fn checks(answer: &DisassembleAnswer) -> Vec<Fact> {
    let cut = format!(
        "largest difference {} of the largest score",
        difference_words(answer.cut_equals_mask)
    );
    let mut all = vec![Fact::new("cut equals masked source", cut)];
    let Some(refit) = &answer.refit else {
        all.push(Fact::new("refit", "none: this is the bare cut"));
        return all;
    };
    let note = &refit.note;
    all.push(Fact::new("refit", format!("least squares on {}", counted(note.images, "image"))));
    if let Some(found) = &refit.agreement {
        let words = |share: Percent, images| format!("{share} of {}", counted(images, "image"));
        all.push(Fact::new(
            "agrees with its source, images it was refitted on",
            words(found.fitted, found.fitted_images),
        ));
        all.push(Fact::new(
            "agrees with its source, other images",
            words(found.held_out, found.held_out_images),
        ));
    }
    let origin = answer.component.card().origin.as_ref();
    all.extend(
        origin.map(|origin| Fact::new("fingerprint of the source", origin.fingerprint.clone())),
    );
    all.push(Fact::new("fingerprint of the component", answer.component.fingerprint()));
    all
}

impl Reported for Compress {
    fn title(&self, answer: &CompressAnswer) -> String {
        format!("{}, smaller", answer.source.name)
    }

    fn body(&self, answer: &CompressAnswer) -> Markup {
        let share =
            |accuracy: Option<Percent>| accuracy.map_or_else(|| "–".to_owned(), Percent::cell);
        let source = &answer.source;
        let whole = vec![
            "the whole model".to_owned(),
            thousands(source.params as u64),
            thousands(source.macs),
            share(source.accuracy),
            share(source.accuracy),
        ];
        let models = answer.models.iter().map(|model| {
            vec![
                model.criterion.name().to_owned(),
                thousands(model.params as u64),
                thousands(model.macs),
                share(model.accuracy_before_refit),
                share(model.accuracy_after_refit),
            ]
        });
        let rows: Vec<Vec<String>> = std::iter::once(whole).chain(models).collect();
        let head = ["criterion", "parameters", "MACs", "bare cut, %", "refitted, %"];
        html! {
            h2 { "By every criterion that was tried" }
            (table("Accuracy on images that were held out", &head, &rows))
            @for skipped in &answer.skipped {
                p.muted { (skipped.criterion.name()) " cannot judge this model: " (skipped.reason) }
            }
        }
    }
}

impl Reported for GcnDisassemble {}
