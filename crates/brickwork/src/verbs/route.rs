//! Through which channels classes are decided.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::Size;
use super::{Context, LinkInput, ModelInput, PixelInput, Verb, inputs};
use crate::model::card::InputLayout;
use crate::model::classes;
use crate::model::error::{Error, Problem};
use crate::show::route::{self as drawn, Merge, RouteOptions, RouteRow};

/// Draw through which channels classes are decided, and what classes have in common
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Route {
    /// The model's profile
    pub profile: PathBuf,
    /// Which model.
    #[serde(flatten)]
    pub model: ModelInput,
    /// Height and width, where the model leaves them open
    pub size: Option<Size>,
    /// Order of the input's axes, where the model does not tell: nchw or nhwc
    pub layout: Option<InputLayout>,
    /// Classes to draw, at most seven: names, indices, inclusive ranges
    pub classes: String,
    /// Where to write the drawing (.svg), a page with the overlap of all profiled classes at every
    /// layer (.html), or all of it as data (.json)
    pub output: Option<PathBuf>,
    /// Draw only these layers: names or parts of names [default: all, in at most 24 columns]
    pub layers: Vec<String>,
    /// How relevance is linked.
    #[serde(flatten)]
    pub link: LinkInput,
}

/// The routes in numbers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RouteAnswer {
    /// Where they were written.
    pub output: Option<PathBuf>,
    /// The model's name.
    pub model: String,
    /// The classes whose routes these are.
    pub classes: Vec<String>,
    /// The layers with relevant channels, in running order.
    pub layers: Vec<RouteRow>,
    /// All profiled classes.
    pub profiled: Vec<String>,
    /// For every two profiled classes, the mean Jaccard similarity over all layers.
    pub similarity: Vec<Vec<f64>>,
    /// Average-linkage clustering of the profiled classes at distances of 1 - similarity.
    pub merges: Vec<Merge>,
    /// The routes.
    #[serde(skip)]
    pub route: drawn::Route,
}

impl Verb for Route {
    type Answer = RouteAnswer;

    const NAME: &'static str = "route";

    fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self.link.problems().collect();
        if let Some(path) = &self.output {
            problems.extend(RouteFormat::of(path).err().map(|why| Problem::new("output", why)));
            problems.extend(inputs::unwritable([("output", path)]));
        }
        problems
    }

    fn work(&self, context: &Context<'_>) -> Result<RouteAnswer, Error> {
        let profile = context.profile(&self.profile)?;
        let model = self.model.load(&PixelInput::of_input(self.size, self.layout), context)?;
        let options = RouteOptions {
            classes: classes::parse(&self.classes, &profile.header.classes)?,
            rule: self.link.rule,
            thresholds: self.link.thresholds(),
            layers: self.layers.clone(),
        };
        let route = drawn::route(&model, &profile, &options, context.progress)?;
        if let Some(path) = &self.output {
            let form = RouteFormat::of(path).map_err(Error::options)?;
            context.write(form.text(&route)?.as_bytes(), path)?;
        }
        Ok(RouteAnswer {
            output: self.output.clone(),
            model: route.model.clone(),
            classes: route.classes.clone(),
            layers: route.rows(),
            profiled: route.overlap.classes.clone(),
            similarity: route.overlap.similarity.clone(),
            merges: route.overlap.merges.clone(),
            route,
        })
    }
}

/// Forms of what is written.
#[derive(Clone, Copy)]
enum RouteFormat {
    Svg,
    Html,
    Json,
}

impl RouteFormat {
    /// The form that the ending of a file's name stands for, or why it stands for none.
    fn of(path: &Path) -> Result<Self, String> {
        let extension = path.extension().and_then(|text| text.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "svg" => Ok(Self::Svg),
            "html" => Ok(Self::Html),
            "json" => Ok(Self::Json),
            _ => Err(format!(
                "{} does not say what to write; end its name in .svg, .html or .json",
                path.display()
            )),
        }
    }

    fn text(self, route: &drawn::Route) -> Result<String, Error> {
        match self {
            Self::Svg => Ok(route.to_svg()),
            Self::Html => Ok(route.to_html()),
            Self::Json => serde_json::to_string(route)
                .map(|text| text + "\n")
                .map_err(|error| Error::file(format!("the routes cannot be written: {error}"))),
        }
    }
}
