//! Loss and accuracy over the epochs, as a picture.

use std::path::Path;

use brickwork_formats::write_atomically;
use plotters::prelude::*;

use super::state::Epoch;
use crate::model::error::Error;

const SIZE: (u32, u32) = (900, 380);
/// Blue and orange that colour-blind readers can tell apart (Okabe and Ito).
const TRAIN: RGBColor = RGBColor(0, 114, 178);
const HELD: RGBColor = RGBColor(213, 94, 0);

/// Writes an SVG file.
///
/// # Errors
/// If it cannot be drawn or written; it is then as it was.
pub(super) fn write(path: &Path, log: &[Epoch]) -> Result<(), Error> {
    let mut text = String::new();
    draw(&mut text, log)
        .map_err(|error| Error::file(format!("the curve cannot be drawn: {error}")))?;
    Ok(write_atomically(path, text.as_bytes())?)
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw(text: &mut String, log: &[Epoch]) -> Drawn {
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let halves = area.split_evenly((1, 2));
    let loss = |held: bool| {
        points(
            log,
            move |epoch| if held { epoch.held.map(|s| s.loss) } else { Some(epoch.train.loss) },
        )
    };
    let accuracy = |held: bool| {
        let of = move |epoch: &Epoch| {
            let score = if held { epoch.held } else { Some(epoch.train) };
            score.map(|s| s.accuracy.number())
        };
        points(log, of)
    };
    panel(&halves[0], "loss", log.len(), [loss(false), loss(true)])?;
    panel(&halves[1], "accuracy, %", log.len(), [accuracy(false), accuracy(true)])?;
    area.present()?;
    Ok(())
}

fn points(log: &[Epoch], of: impl Fn(&Epoch) -> Option<f64>) -> Vec<(f64, f64)> {
    log.iter().filter_map(|epoch| Some((epoch.epoch as f64, of(epoch)?))).collect()
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    title: &str,
    epochs: usize,
    lines: [Vec<(f64, f64)>; 2],
) -> Drawn {
    let values = || lines.iter().flatten().map(|&(_, y)| y).filter(|y| y.is_finite());
    let (low, high) =
        values().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), y| (l.min(y), h.max(y)));
    let room = ((high - low) * 0.05).max(1e-3);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .caption(title, ("sans-serif", 18))
        .x_label_area_size(36)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..(epochs as f64 + 0.5), (low - room)..(high + room))?;
    chart.configure_mesh().x_desc("epoch").light_line_style(WHITE).draw()?;
    for (points, (name, colour)) in lines.into_iter().zip([("train", TRAIN), ("held out", HELD)]) {
        if points.is_empty() {
            continue;
        }
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?.label(name).legend(
            move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2)),
        );
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::percent::Percent;
    use crate::train::Score;

    #[test]
    fn a_curve_for_every_series() {
        let entry = |epoch: usize, held: Option<Score>| Epoch {
            epoch,
            rate: 0.1,
            train: Score { loss: 1.0 / epoch as f64, accuracy: Percent::of(0.5) },
            held,
        };
        let mut text = String::new();
        draw(&mut text, &[entry(1, None), entry(2, None)]).expect("draws");
        assert!(text.contains("train") && !text.contains("held out"));
        let mut both = String::new();
        let held = Some(Score { loss: 0.7, accuracy: Percent::of(0.6) });
        draw(&mut both, &[entry(1, held), entry(2, held)]).expect("draws");
        assert!(both.contains("held out") && both.starts_with("<svg"));
    }
}
