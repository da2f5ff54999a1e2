//! `brickwork refit`

use anyhow::bail;
use brickwork::{Nearer, RefitOptions, Towards, random_images, with_moments};
use brickwork_data::Split;
use serde_json::json;

use crate::args::{Global, RefitArgs};
use crate::inputs;
use crate::print::Out;
use crate::progress::Shown;

pub(crate) fn run(args: &RefitArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    if args.passes == 0 && !args.readout {
        bail!("--passes 0 leaves nothing to do but a readout; add --readout");
    }
    inputs::check_writable(&args.output)?;
    let mut model = inputs::load(&args.model, Some(&args.data.input))?;
    let source = inputs::load_plain(&args.source)?;
    let preprocess = inputs::preprocess(&model, &args.data.input)?;
    let sources = inputs::sources(&mut model, &args.data, Split::Train, out)?;
    let model = inputs::described(&model, &preprocess)?;
    if model.card().reject.is_some() {
        out.note("its threshold is dropped, scores will change; fit it again (brickwork reject)");
    }
    let towards = Towards::new(&model, &source)?;
    let wanted = (0..model.class_count()).map(|class| (class, args.samples as usize)).collect();
    let wanted = inputs::within_memory(&model, wanted, out);
    let images = random_images(&sources, &wanted, global.seed, &preprocess)?;
    let options = RefitOptions {
        seed: global.seed,
        passes: args.passes,
        readout: args.readout,
        ..RefitOptions::default()
    };
    let (mut ready, nearer) = towards.refit(&images, &options, &Shown::new(out))?;
    if model.card().moments.is_some() {
        ready = with_moments(&ready, &preprocess, &sources, global.seed)?;
    }
    ready.save(&args.output)?;
    let Nearer { passes, readout } = &nearer;
    let result = json!({
        "output": args.output,
        "source": source.name,
        "classes": ready.class_names(),
        "images": images.shape()[0],
        "passes": passes.map_or(0, |found| found.passes),
        "divergence": passes.map(|found| json!({ "before": found.before, "after": found.after })),
        "readout": readout,
    });
    out.result(&result, || words(&nearer, &source.name, images.shape()[0], args))
}

/// What was done.
fn words(nearer: &Nearer, source: &str, images: usize, args: &RefitArgs) -> String {
    let [before, after] = [nearer.first(), nearer.last()];
    let how = match (before, after) {
        (Some(before), Some(after)) => format!(
            "divergence from the scores of `{source}` {after:.4}, was {before:.4} nats, on images that took no part"
        ),
        _ => "the readout does not help; it is left out".to_owned(),
    };
    let passes = nearer.passes.map(|found| format!("{} passes over {images} images", found.passes));
    let readout = nearer.readout.map(|found| format!("a readout of {} features", found.features));
    let written = format!("written {}", args.output.display());
    [Some(how), passes, readout, Some(written)].into_iter().flatten().collect::<Vec<_>>().join("\n")
}
