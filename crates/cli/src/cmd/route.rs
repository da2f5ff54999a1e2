//! `brickwork route`

use std::path::Path;

use anyhow::bail;
use brickwork::{Route, RouteOptions, load_profile, route};
use brickwork_formats::write_atomically;
use serde_json::{Value, json};

use crate::args::{InputArgs, ModelArgs, RouteArgs};
use crate::inputs;
use crate::print::{Out, table};
use crate::progress::Shown;

/// Forms of the result.
#[derive(Clone, Copy)]
enum Form {
    Svg,
    Html,
    Json,
}

impl Form {
    fn of(path: &Path) -> anyhow::Result<Self> {
        let extension = path.extension().and_then(|text| text.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "svg" => Ok(Self::Svg),
            "html" => Ok(Self::Html),
            "json" => Ok(Self::Json),
            _ => bail!(
                "{} does not say what to write; end its name in .svg, .html or .json",
                path.display()
            ),
        }
    }

    fn text(self, route: &Route) -> anyhow::Result<String> {
        Ok(match self {
            Self::Svg => route.to_svg(),
            Self::Html => route.to_html(),
            Self::Json => serde_json::to_string(route)? + "\n",
        })
    }
}

pub(crate) fn run(args: &RouteArgs, out: &Out) -> anyhow::Result<()> {
    let form = Form::of(&args.output)?;
    inputs::check_writable(&args.output)?;
    let profile = load_profile(&args.profile)?;
    let model = ModelArgs { model: args.model.clone(), weights: args.weights.clone() };
    let input = InputArgs { size: args.size, ..InputArgs::default() };
    let model = inputs::load(&model, Some(&input))?;
    let options = RouteOptions {
        classes: brickwork::parse_classes(&args.classes, &profile.header.classes)?,
        rule: args.link.rule,
        thresholds: args.link.thresholds(),
        layers: args.layers.clone(),
    };
    let found = route(&model, &profile, &options, &Shown::new(out))?;
    write_atomically(&args.output, form.text(&found)?.as_bytes())?;
    out.result(&summary(&found, &args.output), || {
        format!("{}\nwritten {}", table(&found.table()), args.output.display())
    })
}

fn summary(route: &Route, output: &Path) -> Value {
    json!({
        "output": output,
        "model": route.model,
        "classes": route.classes,
        "layers": route.rows(),
        "profiled": route.overlap.classes,
        "similarity": route.overlap.similarity,
        "merges": route.overlap.merges,
    })
}
