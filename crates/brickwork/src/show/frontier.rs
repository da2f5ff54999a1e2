//! Accuracy against size, as a page, a drawing or a table.

use std::path::Path;

use brickwork_formats::write_atomically;
use maud::Markup;

use super::chart::{Axis, Chart, Form, Series, Spot, chart, chart_file};
use super::page::Page;
use super::table::marked_table;
use super::words::thousands;
use crate::model::error::Error;
use crate::model::percent::Percent;
use crate::shrink::walk::Point;

/// Forms of the file.
#[derive(Clone, Copy)]
pub(crate) enum FrontierForm {
    Html,
    Svg,
    Csv,
    Json,
}

impl FrontierForm {
    /// What the name of a file asks for.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let extension = path.extension().and_then(|text| text.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "html" => Some(Self::Html),
            "svg" => Some(Self::Svg),
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// All of them, the largest first.
pub(crate) struct Frontier<'a> {
    pub(crate) source: &'a str,
    pub(crate) points: &'a [Point],
    pub(crate) chosen: usize,
}

impl Frontier<'_> {
    pub(crate) fn write(&self, path: &Path, form: FrontierForm) -> Result<(), Error> {
        let text = match form {
            FrontierForm::Html => self.html(),
            FrontierForm::Svg => chart_file(&self.chart()),
            FrontierForm::Csv => self.csv(),
            FrontierForm::Json => json(self.points)?,
        };
        Ok(write_atomically(path, text.as_bytes())?)
    }

    fn share(&self, point: &Point) -> Percent {
        Percent::ratio(point.macs, self.points[0].macs)
    }

    fn csv(&self) -> String {
        let lines = self.points.iter().map(|point| {
            let number =
                |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
            let (accuracy, latency) =
                (number(point.accuracy.map(Percent::number)), number(point.latency_ms));
            format!("{},{},{accuracy},{latency}\n", point.macs, point.params)
        });
        std::iter::once("macs,params,accuracy,latency_ms\n".to_owned()).chain(lines).collect()
    }

    fn html(&self) -> String {
        let mut page = Page::new(&format!("{}: accuracy against size", self.source));
        page.kicker("frontier");
        page.lead("Accuracy on images that were held out, at every size on the way down.");
        page.add(chart(&self.chart()));
        page.add(self.table());
        page.to_html()
    }

    /// Every step, the component that was kept marked.
    pub(crate) fn table(&self) -> Markup {
        let row = |(place, point): (usize, &Point)| {
            vec![
                format!("step {place}"),
                format!("{:.1}", self.share(point).number()),
                thousands(point.macs),
                thousands(point.params),
                point.accuracy.map_or("–".to_owned(), Percent::cell),
                if place == self.chosen { "kept".to_owned() } else { String::new() },
            ]
        };
        let rows: Vec<Vec<String>> = self.points.iter().enumerate().map(row).collect();
        let head = ["step", "MACs, %", "MACs", "parameters", "accuracy, %", ""];
        marked_table("The way down, the largest first", &head, &rows, Some(self.chosen))
    }

    /// Accuracy against size, a dot for every step, a ring around the one that was kept.
    pub(crate) fn chart(&self) -> Chart {
        let spot = |point: &Point| {
            let (share, accuracy) = (self.share(point), point.accuracy?);
            let words = format!("{accuracy} at {share:.1} of the multiply-accumulates");
            Some(Spot::new(share.number(), accuracy.number()).says(words))
        };
        let chosen = self.points.get(self.chosen).and_then(spot);
        let description = chosen.as_ref().map(|spot| format!("Kept: {}.", spot.words));
        let series = |name: &str, form, points| Series { name: name.to_owned(), form, points };
        Chart {
            title: format!("{}: accuracy against size", self.source),
            description: description.unwrap_or_default(),
            across: Axis::new("multiply-accumulates, % of the whole task's").between(0.0, 104.0),
            up: Axis::percent("accuracy, %"),
            series: vec![
                series("steps", Form::Dots, self.points.iter().filter_map(spot).collect()),
                series("kept", Form::Ring, chosen.into_iter().collect()),
            ],
        }
    }
}

fn json(points: &[Point]) -> Result<String, Error> {
    serde_json::to_string_pretty(points)
        .map(|text| text + "\n")
        .map_err(|error| Error::file(format!("the frontier cannot be written: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frontier(points: &[Point]) -> Frontier<'_> {
        Frontier { source: "net", points, chosen: 1 }
    }

    #[test]
    fn every_form_tells_every_point() {
        let point = |macs, accuracy| Point {
            macs,
            params: macs / 10,
            accuracy: Some(Percent::of(accuracy)),
            latency_ms: None,
        };
        let points = [point(2000, 0.9), point(1000, 0.85)];
        let frontier = frontier(&points);
        assert_eq!(frontier.csv(), "macs,params,accuracy,latency_ms\n2000,200,90,\n1000,100,85,\n");
        let svg = chart_file(&frontier.chart());
        // A dot for either point, and a ring around the one that is kept, once more beside its name.
        assert_eq!(svg.matches("<circle").count(), 4);
        let html = frontier.html();
        assert!(html.contains("50.0") && html.contains("85.00") && html.contains("<svg"));
    }

    #[test]
    fn unknown_forms_are_refused() {
        assert!(FrontierForm::of(Path::new("a.png")).is_none());
        assert!(FrontierForm::of(Path::new("a.HTML")).is_some());
    }
}
