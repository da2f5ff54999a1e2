//! Says how an extension module is linked, where systems differ.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
