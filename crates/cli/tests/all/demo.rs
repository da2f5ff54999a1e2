//! The demo does the whole job, and can do it again in the same place.

use crate::common::Own;

#[test]
fn demo() {
    let own = Own::new();
    let said = own.succeeds("demo --out OUT/demo");
    let commands = said.lines().filter(|line| line.starts_with("$ brickwork ")).count();
    assert!(commands >= 12, "{said}");
    assert!(said.contains("OUT/demo/index.html"), "{said}");
    let files = own.files();
    for line in said.lines().filter_map(|line| line.strip_prefix("$ brickwork ")) {
        let mut rest = line.split(' ').skip_while(|word| *word != "-o").skip(1);
        if let Some(output) = rest.next() {
            assert!(
                files.contains_key(&format!("demo/{output}")),
                "{output} in {:?}",
                files.keys()
            );
        }
    }
    let page = String::from_utf8(own.read("demo/index.html")).unwrap();
    // Of each of the eleven classes one image that is taken for it, and mistakes, all in the page itself.
    assert!(page.matches("src=\"data:image/png;base64,").count() > 11);
    assert!(!page.contains("http://") && !page.contains("https://"));
    for word in ["ankle-boot", "The mistakes it is surest of", "Calibration"] {
        assert!(page.contains(word), "{word}");
    }
    for name in ["low", "shoes", "clothes", "joined", "ready"] {
        own.succeeds(&format!("inspect OUT/demo/{name}.onnx"));
    }
    let again = own.json("demo --out OUT/demo");
    assert_eq!(again["steps"].as_array().unwrap().len(), commands);
    assert_eq!(own.files(), files);
}
