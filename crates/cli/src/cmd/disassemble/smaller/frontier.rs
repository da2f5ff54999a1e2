//! Accuracy against size, as a file.

use std::path::Path;

use anyhow::bail;
use brickwork::Page;
use brickwork_formats::write_atomically;
use plotters::prelude::*;
use serde::Serialize;

use crate::print::{percent, row, thousands};

/// One component on the way.
#[derive(Clone, Serialize)]
pub(super) struct Point {
    pub(super) macs: u64,
    pub(super) params: u64,
    /// Share of the held out images that are classified correctly.
    pub(super) accuracy: Option<f64>,
    pub(super) latency_ms: Option<f64>,
}

/// Forms of the file.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Html,
    Svg,
    Csv,
    Json,
}

impl Form {
    pub(super) fn of(path: &Path) -> anyhow::Result<Self> {
        let extension = path.extension().and_then(|text| text.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "html" => Ok(Self::Html),
            "svg" => Ok(Self::Svg),
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            _ => bail!(
                "{} does not say what to write; end its name in .html, .svg, .csv or .json",
                path.display()
            ),
        }
    }
}

/// All of them, the largest first.
pub(super) struct Frontier<'a> {
    pub(super) source: &'a str,
    pub(super) points: &'a [Point],
    pub(super) chosen: usize,
}

const SIZE: (u32, u32) = (720, 400);
const LINE: RGBColor = RGBColor(0, 114, 178);
const KEPT: RGBColor = RGBColor(213, 94, 0);

impl Frontier<'_> {
    pub(super) fn write(&self, path: &Path, form: Form) -> anyhow::Result<()> {
        let text = match form {
            Form::Html => self.html()?,
            Form::Svg => self.svg()?,
            Form::Csv => self.csv(),
            Form::Json => serde_json::to_string_pretty(self.points)? + "\n",
        };
        Ok(write_atomically(path, text.as_bytes())?)
    }

    fn share(&self, point: &Point) -> f64 {
        100.0 * point.macs as f64 / self.points[0].macs.max(1) as f64
    }

    fn csv(&self) -> String {
        let lines = self.points.iter().map(|point| {
            let number =
                |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
            let (accuracy, latency) = (number(point.accuracy), number(point.latency_ms));
            format!("{},{},{accuracy},{latency}\n", point.macs, point.params)
        });
        std::iter::once("macs,params,accuracy,latency_ms\n".to_owned()).chain(lines).collect()
    }

    fn html(&self) -> anyhow::Result<String> {
        let mut page = Page::new(&format!("{}: accuracy against size", self.source));
        page.drawing(&self.svg()?);
        let mut rows = vec![row(["MACs, %", "MACs", "parameters", "accuracy, %", ""])];
        for (k, point) in self.points.iter().enumerate() {
            rows.push(vec![
                format!("{:.1}", self.share(point)),
                thousands(point.macs),
                thousands(point.params),
                point.accuracy.map_or("-".to_owned(), percent),
                if k == self.chosen { "kept".to_owned() } else { String::new() },
            ]);
        }
        page.table(&rows);
        page.text("Accuracy on training images that were held out.");
        Ok(page.to_html())
    }

    fn svg(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        self.draw(&mut text)
            .map_err(|error| anyhow::anyhow!("the frontier cannot be drawn: {error}"))?;
        Ok(text)
    }

    fn draw(&self, text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
        let of = |point: &Point| Some((self.share(point), 100.0 * point.accuracy?));
        let points: Vec<(f64, f64)> = self.points.iter().filter_map(of).collect();
        let low = points.iter().map(|(_, y)| *y).fold(100.0, f64::min);
        let high = points.iter().map(|(_, y)| *y).fold(0.0, f64::max);
        let room = ((high - low) * 0.08).max(0.2);
        let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(14)
            .x_label_area_size(40)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..104.0, (low - room)..(high + room))?;
        chart
            .configure_mesh()
            .x_desc("multiply-accumulates, % of the whole task's")
            .y_desc("accuracy, %")
            .light_line_style(WHITE)
            .draw()?;
        chart.draw_series(LineSeries::new(points.clone(), LINE.stroke_width(2)))?;
        chart.draw_series(points.iter().map(|&at| Circle::new(at, 3, LINE.filled())))?;
        if let Some(at) = self.points.get(self.chosen).and_then(of) {
            chart.draw_series([Circle::new(at, 6, KEPT.stroke_width(2))])?;
        }
        area.present()?;
        Ok(())
    }
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
            accuracy: Some(accuracy),
            latency_ms: None,
        };
        let points = [point(2000, 0.9), point(1000, 0.85)];
        let frontier = frontier(&points);
        assert_eq!(
            frontier.csv(),
            "macs,params,accuracy,latency_ms\n2000,200,0.9,\n1000,100,0.85,\n"
        );
        let svg = frontier.svg().expect("draws");
        // A dot for either point, and a ring around the one that is kept.
        assert_eq!(svg.matches("<circle").count(), 3);
        let html = frontier.html().expect("a page");
        assert!(html.contains("50.0") && html.contains("85.00") && html.contains("<svg"));
    }

    #[test]
    fn unknown_forms_are_refused() {
        assert!(Form::of(Path::new("a.png")).is_err());
        assert!(Form::of(Path::new("a.HTML")).is_ok());
    }
}
