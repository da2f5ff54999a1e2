//! Text, JSON and tables say the same numbers in the same unit.

use serde_json::Value;

use crate::common::{JOINED_DATA, Own, number, prepared, untimed};

/// Commands whose texts hold accuracies, shares, factors or similarities. Numbers with a single decimal are
/// shares of sizes, which JSON has as two counts.
const TOLD: [&str; 12] = [
    "eval low.onnx --data data/digits --source digits.onnx --no-latency",
    "eval joined.onnx JOINED --no-latency",
    "disassemble digits.onnx --classes 3,8 --data data/digits --macs 60% --refit-samples 20 \
     --frontier OUT/f.csv -o OUT/x.onnx",
    "disassemble digits.onnx --profile digits.profile --classes 0-4 --data data/digits \
     --refit-samples 40 -o OUT/x.onnx",
    "compress digits.onnx --data data/digits --macs 60% --refit-samples 20 -o OUT/x.onnx",
    "calibrate joined.onnx JOINED --samples 20 -o OUT/x.onnx",
    "doctor digits.onnx --data data/digits",
    "probe low.onnx digits.onnx --data data/digits --samples 50",
    "route digits.profile --model digits.onnx --classes 0,1 -o OUT/x.svg",
    "reject low.onnx --data data/digits --rate 10% -o OUT/x.onnx",
    "eval OUT/x.onnx --data data/digits --no-latency",
    "finetune low.onnx --data data/digits --epochs 1 -o OUT/y.onnx",
];

/// Every number of a text that has at least so many decimals, with how many it has.
fn decimals(text: &str, least: usize) -> Vec<(f64, usize)> {
    let told = |word: &str| {
        let word = word.trim_matches(['(', ')', ',', ';', ':', '+']);
        let (_, after) = word.split_once('.')?;
        Some((word.parse().ok()?, after.len()))
    };
    text.split_whitespace().filter_map(told).filter(|(_, places)| *places >= least).collect()
}

/// Every number of an answer.
fn numbers(answer: &Value, found: &mut Vec<f64>) {
    match answer {
        Value::Number(number) => found.extend(number.as_f64()),
        Value::Array(items) => items.iter().for_each(|item| numbers(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| numbers(field, found)),
        _ => {}
    }
}

/// That the numbers of a text, with at least so many decimals, are numbers of the answer.
fn agree(line: &str, text: &str, answer: &Value, least: usize) {
    let told = decimals(text, least);
    assert!(!told.is_empty(), "{line}: no number in\n{text}");
    let mut found = Vec::new();
    numbers(answer, &mut found);
    for (number, places) in told {
        let shown = format!("{number:.places$}");
        let holds = found.iter().any(|other| format!("{other:.places$}") == shown);
        assert!(holds, "{line}: {shown} is not in\n{answer:#}");
    }
}

#[test]
fn text_and_json_say_the_same_numbers() {
    prepared();
    let own = Own::new();
    for line in TOLD {
        let line = line.replace("JOINED", JOINED_DATA);
        let text = own.succeeds(&line);
        let text = untimed(&text).collect::<Vec<_>>().join("\n");
        agree(&line, &text, &own.json(&line), 2);
    }
}

/// The cells of a table, without its head.
fn cells(own: &Own, name: &str) -> Vec<Vec<String>> {
    let text = String::from_utf8(own.read(name)).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn tables_and_json_say_the_same_numbers() {
    prepared();
    let own = Own::new();
    let line = "predict digits.onnx data/digits --top 3 --csv OUT/p.csv";
    let lines = own.succeeds(&format!("{line} --json"));
    let answers: Value = lines.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()).collect();
    agree(line, &own.succeeds(line), &answers, 1);
    let guesses =
        answers.as_array().unwrap().iter().map(|image| image["classes"].as_array().unwrap());
    let scores: Vec<f64> = guesses.flatten().map(|guess| number(&guess["score"])).collect();
    let written: Vec<f64> =
        cells(&own, "p.csv").iter().map(|row| row[4].parse().unwrap()).collect();
    assert_eq!(written, scores);

    own.succeeds("eval digits.onnx --data data/digits --no-latency --per-image OUT/i.csv");
    let images = cells(&own, "i.csv");
    let tops = scores.iter().step_by(3);
    assert!(
        images.iter().any(|row| row[5].parse::<f64>().unwrap() > 50.0),
        "scores are in percent"
    );
    assert!(images.iter().all(|row| tops.clone().any(|top| row[5] == top.to_string())));

    let cut = "disassemble digits.onnx --classes 3,8 --data data/digits --macs 60% --refit layers";
    let found = own.json(&format!("{cut} --frontier OUT/f.csv -o OUT/x.onnx"));
    let points = found["frontier"].as_array().unwrap();
    let rows = cells(&own, "f.csv");
    assert_eq!(points.len(), rows.len());
    for (point, row) in points.iter().zip(&rows) {
        assert_eq!(number(&point["accuracy"]), row[2].parse::<f64>().unwrap());
    }

    let run =
        "train --arch lenet5 --data data/digits --epochs 1 --samples 20 --hold-out 5 -o OUT/n.onnx";
    let found = own.json(&format!("{run} --log OUT/log.csv"));
    let (epoch, row) = (&found["epochs"][0], &cells(&own, "log.csv")[0]);
    for (score, column) in [("train", 3), ("held", 5)] {
        assert_eq!(number(&epoch[score]["accuracy"]), row[column].parse::<f64>().unwrap());
    }
}
