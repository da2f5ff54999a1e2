//! `brickwork annotate`

use serde_json::json;

use crate::args::AnnotateArgs;
use crate::inputs;
use crate::print::Out;

pub(crate) fn run(args: &AnnotateArgs, out: &Out) -> anyhow::Result<()> {
    inputs::check_writable(&args.output)?;
    let model = inputs::load(&args.model, Some(&args.input))?;
    let preprocess = inputs::preprocess(&model, &args.input)?;
    let described = inputs::described(&model, &preprocess)?;
    described.save(&args.output)?;
    let result = json!({
        "output": args.output,
        "classes": described.class_names(),
        "preprocess": preprocess,
    });
    out.result(&result, || {
        format!(
            "{}: {} classes, preprocessing recorded",
            args.output.display(),
            described.class_count()
        )
    })
}
