//! Accuracy against size, as a page, a drawing or a table.

use std::path::Path;

use brickwork_formats::write_atomically;
use plotters::prelude::*;

use crate::model::error::Error;
use crate::model::percent::Percent;
use crate::show::report::Page;
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

const SIZE: (u32, u32) = (720, 400);
const LINE: RGBColor = RGBColor(0, 114, 178);
const KEPT: RGBColor = RGBColor(213, 94, 0);

impl Frontier<'_> {
    pub(crate) fn write(&self, path: &Path, form: FrontierForm) -> Result<(), Error> {
        let text = match form {
            FrontierForm::Html => self.html()?,
            FrontierForm::Svg => self.svg()?,
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

    fn html(&self) -> Result<String, Error> {
        let mut page = Page::new(&format!("{}: accuracy against size", self.source));
        page.drawing(&self.svg()?);
        let head = ["MACs, %", "MACs", "parameters", "accuracy, %", ""];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for (k, point) in self.points.iter().enumerate() {
            rows.push(vec![
                format!("{:.1}", self.share(point).number()),
                point.macs.to_string(),
                point.params.to_string(),
                point.accuracy.map_or("-".to_owned(), Percent::cell),
                if k == self.chosen { "kept".to_owned() } else { String::new() },
            ]);
        }
        page.table(&rows);
        page.text("Accuracy on training images that were held out.");
        Ok(page.to_html())
    }

    fn svg(&self) -> Result<String, Error> {
        let mut text = String::new();
        self.draw(&mut text)
            .map_err(|error| Error::file(format!("the frontier cannot be drawn: {error}")))?;
        Ok(text)
    }

    fn draw(&self, text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
        let of = |point: &Point| Some((self.share(point).number(), point.accuracy?.number()));
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
        let svg = frontier.svg().expect("draws");
        // A dot for either point, and a ring around the one that is kept.
        assert_eq!(svg.matches("<circle").count(), 3);
        let html = frontier.html().expect("a page");
        assert!(html.contains("50.0") && html.contains("85.00") && html.contains("<svg"));
    }

    #[test]
    fn unknown_forms_are_refused() {
        assert!(FrontierForm::of(Path::new("a.png")).is_none());
        assert!(FrontierForm::of(Path::new("a.HTML")).is_some());
    }
}
