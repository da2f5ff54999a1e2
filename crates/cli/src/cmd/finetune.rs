//! `brickwork finetune`

use brickwork::{Card, Labels, Score, score};
use brickwork_data::Split;
use serde_json::json;

use crate::args::{FinetuneArgs, Global};
use crate::inputs;
use crate::print::Out;
use crate::progress::Shown;
use crate::training::{self, FURTHER, Samples};

pub(crate) fn run(args: &FinetuneArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    args.run.check()?;
    let mut model = inputs::load(&args.model, Some(&args.data.input))?;
    let preprocess = inputs::preprocess(&model, &args.data.input)?;
    let sources = inputs::sources(&mut model, &args.data, Split::Train, out)?;
    if model.card().reject.is_some() {
        out.note("its threshold is dropped, scores will change; fit it again (brickwork reject)");
        model = model.with_card(Card { reject: None, ..model.card().clone() })?;
    }
    let samples = Samples::of(sources, &args.run, global)?;
    let mut options = args.run.options(FURTHER, global);
    options.keep_zeros = args.keep_zero_blocks;
    let measured = samples.held.as_ref();
    let before = measured.map(|held| score(&model, held, &preprocess, &Shown::new(out)));
    let before = before.transpose()?;
    let mut labels = Labels { smoothing: args.run.smoothing };
    let outcome =
        training::run(&model, &samples, &preprocess, &options, &mut labels, &args.run, out)?;
    let best = outcome.log.iter().find(|epoch| epoch.epoch == outcome.best);
    let after = best.and_then(|epoch| epoch.held);
    let accuracy = |score: Option<Score>| score.map(|score| score.accuracy);
    if outcome.stopped.is_none() && accuracy(after) < accuracy(before) {
        out.note(
            "no epoch did as well as the model did before, on held out images: try a lower --lr, clipped \
             gradients (--clip 1), or more images",
        );
    }
    let mut result = training::result(&outcome, &samples, &args.run);
    result["score1"] = json!(before);
    result["score2"] = json!(after);
    out.result(&result, || {
        let percent = |score: Option<Score>| {
            score.map_or("-".to_owned(), |score| format!("{:.2} %", 100.0 * score.accuracy))
        };
        format!(
            "Score1 (before) {}, Score2 (after) {}, on held out training images\n{}",
            percent(before),
            percent(after),
            training::report(&outcome, &samples, &args.run)
        )
    })
}
