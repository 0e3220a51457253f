//! Links the function at a fixed address.
//!
//! A position-independent executable carries a relocation for each pointer in its constant data: 350 kB that the loader
//! reads and applies at each cold start. Without them, the executable itself is not placed at random; the heap, the
//! stack, and the shared libraries still are. The function forbids unsafe code.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") && is("PROFILE", "release") {
        println!("cargo::rustc-link-arg-bin=mass-change-owner-status=-no-pie");
    }
}
