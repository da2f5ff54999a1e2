//! `brickwork reject`

use brickwork::{RejectAt, fit_reject};
use brickwork_data::Split;
use serde_json::json;

use crate::args::RejectArgs;
use crate::inputs;
use crate::print::{Out, percent};
use crate::progress::Shown;

pub(crate) fn run(args: &RejectArgs, out: &Out) -> anyhow::Result<()> {
    inputs::check_writable(&args.output)?;
    let mut model = inputs::load(&args.model, Some(&args.data.input))?;
    let preprocess = inputs::preprocess(&model, &args.data.input)?;
    let mut sources = inputs::sources(&mut model, &args.data, Split::Train, out)?;
    sources.extend(inputs::foreign(&args.foreign, &args.data, Split::Train, out)?);
    let model = inputs::described(&model, &preprocess)?;
    let at = match args.recall {
        Some(share) => RejectAt::Recall(share),
        None => RejectAt::FalseAccepts(args.rate),
    };
    let ready = fit_reject(&model, &preprocess, &sources, at, &Shown::new(out))?;
    ready.save(&args.output)?;
    let result = json!({ "output": args.output, "reject": ready.card().reject });
    out.result(&result, || match &ready.card().reject {
        None => String::new(),
        Some(reject) => {
            let foreign = reject.false_accepts.map_or(String::new(), |share| {
                format!("accepts {} % of {} foreign images\n", percent(share), reject.foreign_images)
            });
            format!(
                "threshold {:.4} of the top score\naccepts {} % of {} own images\n{foreign}written {}",
                reject.threshold,
                percent(reject.recall),
                reject.own_images,
                args.output.display()
            )
        }
    })
}
