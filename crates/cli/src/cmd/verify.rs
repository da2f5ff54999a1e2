//! `brickwork verify`

use std::process::ExitCode;

use brickwork::{
    Classifier, Verification, Weights, part_images, uniform, verify, verify_assembled,
};
use brickwork_data::Split;
use brickwork_tensor::Tensor;

use crate::args::{Global, VerifyArgs};
use crate::inputs;
use crate::print::Out;

pub(crate) fn run(args: &VerifyArgs, global: &Global, out: &Out) -> anyhow::Result<ExitCode> {
    let mut models =
        args.models.iter().map(|path| inputs::load_plain(path)).collect::<Result<Vec<_>, _>>()?;
    let Some(mut subject) = models.pop() else { return Ok(ExitCode::from(2)) };
    let images = images(args, global, &mut subject, out)?;
    let found = if subject.card().parts.is_empty() {
        verify(&models[0], &subject, &images)?
    } else {
        verify_assembled(&subject, &models, &images, &part_images(&subject, &images)?)?
    };
    out.result(&found, || words(&subject, &found, images.shape()[0]))?;
    Ok(if found.holds { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn images(
    args: &VerifyArgs,
    global: &Global,
    subject: &mut Classifier,
    out: &Out,
) -> anyhow::Result<Tensor> {
    let count = args.images as usize;
    if args.data.data.is_empty() {
        let [c, h, w] = subject.input();
        return Ok(uniform([count, c, h, w], -1.0, 1.0, global.seed));
    }
    let preprocess = inputs::preprocess(subject, &args.data.input)?;
    let sources = inputs::sources(subject, &args.data, Split::Test, out)?;
    let dataset = &sources[0].dataset;
    let indices: Vec<usize> = (0..dataset.len().min(count)).collect();
    Ok(dataset.batch(&indices, &preprocess)?)
}

fn words(subject: &Classifier, found: &Verification, images: usize) -> String {
    let (name, parts) = (&subject.name, !subject.card().parts.is_empty());
    let verdict = if found.holds { "holds" } else { "DOES NOT HOLD" };
    let equal = found.worst <= found.tolerance && found.scores <= found.tolerance;
    let verb = if equal { "computes" } else { "does not compute" };
    let what = match (parts, found.moved) {
        (true, _) => format!("`{name}` {verb} what its {} parts compute", found.layers),
        (_, None) => format!("`{name}` {verb} what the masked source computes"),
        (_, Some(_)) => format!("the cut behind `{name}` {verb} what the masked source computes"),
    };
    let weights = match found.weights {
        Weights::Compared => "",
        Weights::AsWritten => "; weights are as they were written",
        Weights::Changed => ", but its weights were changed since they were written",
        Weights::Unknown => {
            ", but nothing says what its weights were: the file is of an earlier version; make it again"
        }
    };
    let place = if parts { "part" } else { "layer" };
    let mut text = format!(
        "{verdict}: {what}{weights}\nworst {place} `{}`: {:.1e} of its largest value (tolerance {:.0e}); scores {:.1e}; {images} images",
        found.worst_layer, found.worst, found.tolerance, found.scores
    );
    if let Some(moved) = found.moved {
        text.push_str(&format!(
            "\nwhat followed the cut moved the scores by {moved:.2} of the largest"
        ));
    }
    text
}
