//! What the command says about itself.

mod common;

use common::Own;

const COMMANDS: &[&str] = &[
    "demo",
    "studio",
    "init",
    "inspect",
    "report",
    "card",
    "profile",
    "disassemble",
    "compress",
    "assemble",
    "calibrate",
    "refit",
    "reject",
    "eval",
    "predict",
    "doctor",
    "probe",
    "train",
    "finetune",
    "distill",
    "verify",
    "masks",
    "diff",
    "route",
    "annotate",
    "bench",
    "build",
    "cache",
    "recipe",
    "init-recipe",
    "schema",
    "completions",
    "man",
];

#[test]
fn overview() {
    insta::assert_snapshot!("brickwork", Own::new().succeeds("--help"));
}

#[test]
fn every_command() {
    for command in COMMANDS {
        let help = Own::new().succeeds(&format!("{command} --help"));
        insta::assert_snapshot!(*command, help);
    }
}

#[test]
fn short_help_has_the_same_options_in_the_same_order() {
    let own = Own::new();
    let options = |line: &str| -> Vec<String> {
        let help = own.succeeds(line);
        let (options, _examples) = help.split_once("\nExample").unwrap();
        let options = options.lines().filter(|line| line.trim_start().starts_with('-'));
        let words = options.flat_map(|line| line.split_whitespace().take(2));
        words.filter(|word| word.starts_with("--")).map(str::to_owned).collect()
    };
    for command in COMMANDS {
        let found = options(&format!("{command} -h"));
        assert_eq!(found, options(&format!("{command} --help")), "{command}");
        assert_eq!(found.last().map(String::as_str), Some("--help"), "{command}");
    }
}

#[test]
fn the_overview_names_every_command() {
    let help = Own::new().succeeds("-h");
    let (_, list) = help.split_once("\nCommands:\n").unwrap();
    let named = list.lines().take_while(|line| !line.is_empty());
    let mut named: Vec<&str> = named.filter_map(|line| line.split_whitespace().next()).collect();
    // Two have commands of their own, one is clap's.
    named.retain(|name| !["box", "gcn", "help"].contains(name));
    named.sort_unstable();
    let mut commands = COMMANDS.to_vec();
    commands.sort_unstable();
    assert_eq!(named, commands);
}

#[test]
fn version_and_misuse() {
    let own = Own::new();
    assert_eq!(own.succeeds("-V"), format!("brickwork {}\n", env!("CARGO_PKG_VERSION")));
    own.misused("", &["Usage: brickwork", "demo"]);
    own.misused("dissasemble", &["unrecognized subcommand", "disassemble"]);
    own.misused("init", &["--arch <NAME>", "--output <FILE>"]);
    own.refused("init --arch vgg16 -o OUT/x", &["--classes or --class-names"]);
    own.refused("init --list --arch vgg16", &["--list makes nothing; leave all else out"]);
    own.misused("init --arch resnet19 --classes 2 -o OUT/x", &["resnet18", "simplenet_v1"]);
    own.refused("init --arch vgg16 --classes 2 --class-names a,b -o OUT/x", &["cannot be used"]);
    own.misused("inspect", &["<MODEL.onnx>"]);
    own.misused("inspect digits.onnx --quiet --verbose", &["cannot be used with"]);
    own.misused("inspect digits.onnx --threads 0", &["from 1 to 1024"]);
    own.misused("profile digits.onnx --data data/digits", &["--output"]);
    own.misused("profile digits.onnx --part 3/2 -o OUT/x", &["a part such as 1/4"]);
    own.misused("profile digits.onnx --samples none -o OUT/x", &["50", "1%", "all"]);
    own.refused("profile -o OUT/x", &["name a model to profile", "--merge"]);
    let indices = "profile digits.onnx --data data/digits --indices x";
    own.refused(&format!("{indices} --part 1/2 -o OUT/x"), &["leave --samples and --part out"]);
    own.refused(&format!("{indices} --samples all -o OUT/x"), &["leave --samples and --part out"]);
    own.refused("profile --merge a b --part 1/2 -o OUT/x", &["leave all else out"]);
    own.misused("eval digits.onnx --split validation", &["train, val, test"]);
    own.refused("disassemble digits.onnx --classes 0 -o OUT/x", &["--profile", "--keep"]);
    own.refused("disassemble digits.onnx --classes 0 --profile p", &["--output"]);
    own.refused(
        "disassemble digits.onnx --classes 0 --profile p --alpha-conv 2 -o OUT/x",
        &["from 0 to 1"],
    );
    own.refused("compress digits.onnx -o OUT/x", &["--macs", "--params", "--max-drop"]);
    own.refused("compress digits.onnx --macs 50% --params 50% -o OUT/x", &["pass one size"]);
    own.refused("compress digits.onnx --macs 50%", &["--output"]);
    for budget in ["0%", "101%", "0", "-5", "half", "nan%"] {
        let says = ["a share such as 50% or 0.5 (above 0%, up to 100%) or a number"];
        own.misused(&format!("compress digits.onnx --macs={budget} -o OUT/x"), &says);
    }
    own.refused("compress digits.onnx --max-drop=-1 -o OUT/x", &["from 0 to 100"]);
    own.misused("compress digits.onnx --macs 1% --floor 5 -o OUT/x", &["from 0% to 100%"]);
    own.misused("compress digits.onnx --macs 1% --criterion size -o OUT/x", &["fpgm, bn-scale"]);
    own.misused("assemble -o OUT/x", &["<COMPONENT.onnx>"]);
    own.misused("verify", &["<MODEL.onnx>"]);
    own.refused("verify digits.onnx", &["the source", "the model to verify"]);
    own.refused("verify digits.onnx low.onnx --images 0", &["from 1 to 4096"]);
    own.misused("route digits.profile --classes 0 -o OUT/x.svg", &["--model <MODEL.onnx>"]);
    own.misused("route digits.profile --model digits.onnx --classes 0", &["--output"]);
    own.refused("bench digits.onnx --batch 0 --runs 0", &["from 1 to 4096", "from 1 to 10000"]);
}
