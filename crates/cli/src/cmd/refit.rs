//! `brickwork refit`

use brickwork::{RefitOptions, Towards, random_images, with_moments};
use brickwork_data::Split;
use serde_json::json;

use crate::args::{Global, RefitArgs};
use crate::inputs;
use crate::print::Out;
use crate::progress::Shown;

pub(crate) fn run(args: &RefitArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    inputs::check_writable(&args.output)?;
    let mut model = inputs::load(&args.model, Some(&args.data.input))?;
    let source = inputs::load_plain(&args.source)?;
    let preprocess = inputs::preprocess(&model, &args.data.input)?;
    let sources = inputs::sources(&mut model, &args.data, Split::Train, out)?;
    let model = inputs::described(&model, &preprocess)?;
    if model.card.reject.is_some() {
        out.note("its threshold is dropped, scores will change; fit it again (brickwork reject)");
    }
    let towards = Towards::new(&model, &source)?;
    let wanted = (0..model.class_count()).map(|class| (class, args.samples as usize)).collect();
    let wanted = inputs::within_memory(&model, wanted, out);
    let images = random_images(&sources, &wanted, global.seed, &preprocess)?;
    let options =
        RefitOptions { seed: global.seed, passes: args.passes, ..RefitOptions::default() };
    let (mut ready, found) = towards.refit(&images, &options, &Shown::new(out))?;
    if model.card.moments.is_some() {
        ready = with_moments(&ready, &preprocess, &sources, global.seed)?;
    }
    ready.save(&args.output)?;
    let result = json!({
        "output": args.output,
        "source": source.name,
        "classes": ready.class_names(),
        "images": images.shape()[0],
        "passes": found.passes,
        "divergence": { "before": found.before, "after": found.after },
    });
    out.result(&result, || {
        format!(
            "divergence from the scores of `{}` {:.4}, was {:.4} nats, on images that took no part\n\
             {} passes over {} images\nwritten {}",
            source.name,
            found.after,
            found.before,
            found.passes,
            images.shape()[0],
            args.output.display()
        )
    })
}
