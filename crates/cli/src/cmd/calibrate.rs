//! `brickwork calibrate`

use anyhow::bail;
use brickwork::{Classifier, Method, calibrate, calibrate_from_moments};
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
    let blind = args.data.data.is_empty();
    let method = args.method.unwrap_or(if blind { Method::Affine } else { Method::Linear });
    let ready = if blind {
        without_images((args, method), global, &model, out)?
    } else {
        let preprocess = inputs::preprocess(&model, &args.data.input)?;
        let mut sources = inputs::sources(&mut model, &args.data, Split::Train, out)?;
        if let Some(count) = args.samples {
            for source in &mut sources {
                source.keep_some(count as usize, global.seed)?;
            }
        }
        calibrate(&model, &preprocess, &sources, method, global.seed, &Shown::new(out))?
    };
    ready.save(&args.output)?;
    let note = ready.card().calibration.clone();
    let result = json!({ "output": args.output, "method": method.name(), "calibration": note });
    out.result(&result, || {
        let mut rows = vec![row(["class", "part", "factor", "shift"])];
        let logits =
            ready.card().parts.iter().flat_map(|p| p.classes.iter().map(move |c| (c, &p.name)));
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
            method.name(),
            args.output.display()
        )
    })
}

/// Calibrates by what the parts say of themselves.
fn without_images(
    (args, method): (&CalibrateArgs, Method),
    global: &Global,
    model: &Classifier,
    out: &Out,
) -> anyhow::Result<Classifier> {
    let progress = Shown::new(out);
    match method {
        Method::None => {
            let preprocess = inputs::preprocess(model, &args.data.input)?;
            Ok(calibrate(model, &preprocess, &[], Method::None, global.seed, &progress)?)
        }
        Method::Affine if args.samples.is_none() => {
            Ok(calibrate_from_moments(model, global.seed, &progress)?)
        }
        Method::Affine => bail!("--samples counts images, and none are given; pass --data DATA"),
        method => bail!(
            "no images are given; --method {} needs some (--data DATA), --method affine does with what \
             the parts carry",
            method.name()
        ),
    }
}
