//! Nothing but `eval` and `probe` looks at test images: everything else works beside a test split that
//! cannot be read.

use crate::common::{Own, shared};

#[test]
fn test_images_are_for_measuring_alone() {
    let folder = shared();
    let own = Own::new();
    for name in ["digits", "garments"] {
        let to = own.path(name);
        std::fs::create_dir_all(&to).unwrap();
        for file in ["train-images-idx3", "train-labels-idx1"] {
            let file = format!("{file}-ubyte.gz");
            std::fs::copy(folder.join("data").join(name).join(&file), to.join(&file)).unwrap();
        }
        for file in ["t10k-images-idx3", "t10k-labels-idx1"] {
            std::fs::write(to.join(format!("{file}-ubyte.gz")), b"no images").unwrap();
        }
    }
    let (digits, both) = ("--data OUT/digits", "--data low=OUT/digits --data two=OUT/garments");
    for line in [
        &format!("profile digits.onnx {digits} --samples 3 -o OUT/p"),
        &format!(
            "disassemble digits.onnx --profile OUT/p --classes 0-4 {digits} --refit-samples 5 -o OUT/low.onnx"
        ),
        &format!(
            "disassemble digits.onnx --classes 0,1 {digits} --refit-samples 5 --macs 60% -o OUT/x.onnx"
        ),
        &format!(
            "disassemble digits.onnx --classes 0,1 {digits} --refit-samples 5 --max-drop 1 -o OUT/x.onnx"
        ),
        "disassemble garments.onnx --classes bag,coat --data OUT/garments --refit-samples 5 --macs 60% -o OUT/two.onnx",
        &format!("compress digits.onnx {digits} --refit-samples 5 --macs 60% --step 50% --compare"),
        "assemble OUT/low.onnx OUT/two.onnx -o OUT/both.onnx",
        &format!("calibrate OUT/both.onnx {both} --samples 10 -o OUT/ready.onnx"),
        &format!("calibrate OUT/both.onnx {both} --samples 10 --method paper -o OUT/ready.onnx"),
        &format!("reject OUT/low.onnx {digits} -o OUT/safe.onnx"),
        &format!("refit OUT/low.onnx --source digits.onnx {digits} --samples 20 -o OUT/near.onnx"),
        &format!(
            "finetune OUT/low.onnx {digits} --samples 20 --epochs 1 --hold-out 5 -o OUT/tuned.onnx"
        ),
        &format!(
            "train --arch lenet5 {digits} --samples 20 --epochs 1 --hold-out 5 -o OUT/net.onnx"
        ),
        &format!(
            "distill --teacher digits.onnx --student lenet5 {digits} --samples 20 --epochs 1 --hold-out 5 -o OUT/net.onnx"
        ),
    ] {
        own.succeeds(line);
    }
    own.refused(&format!("eval OUT/low.onnx {digits}"), &["the test part was asked for"]);
    own.refused(&format!("probe OUT/low.onnx {digits}"), &["the test part was asked for"]);
}
