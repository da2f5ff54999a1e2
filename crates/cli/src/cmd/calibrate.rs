//! `brickwork calibrate`

use brickwork::calibrate;
use brickwork_data::Split;
use serde_json::json;

use crate::args::{CalibrateArgs, Global, ModelArgs};
use crate::inputs;
use crate::print::{Out, row, table};
use crate::progress::Shown;

pub(crate) fn run(args: &CalibrateArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    inputs::check_writable(&args.output)?;
    let model = ModelArgs { model: args.model.clone(), weights: None };
    let mut model = inputs::load(&model, Some(&args.data.input))?;
    let preprocess = inputs::preprocess(&model, &args.data.input)?;
    let mut sources = inputs::sources(&mut model, &args.data, Split::Train, out)?;
    if let Some(count) = args.samples {
        for source in &mut sources {
            source.keep_some(count as usize, global.seed)?;
        }
    }
    let ready = calibrate(&model, &preprocess, &sources, args.method, &Shown::new(out))?;
    ready.save(&args.output)?;
    let note = ready.card.calibration.clone();
    let result =
        json!({ "output": args.output, "method": args.method.name(), "calibration": note });
    out.result(&result, || {
        let mut rows = vec![row(["class", "part", "factor", "shift"])];
        let logits =
            ready.card.parts.iter().flat_map(|p| p.classes.iter().map(move |c| (c, &p.name)));
        if let Some(note) = &note {
            for (k, (class, part)) in logits.enumerate() {
                rows.push(vec![
                    class.clone(),
                    part.clone(),
                    format!("{:.4}", note.scale[k]),
                    format!("{:+.4}", note.shift[k]),
                ]);
            }
        }
        let images = note.as_ref().map_or(0, |note| note.images);
        format!(
            "{}\n{} on {images} images\nwritten {}",
            table(&rows),
            args.method.name(),
            args.output.display()
        )
    })
}
