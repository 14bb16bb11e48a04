//! Fills the mistakes, where the test asks for them by `DUALGAUGE_MISTAKES`.
//!
//! The feature `mistakes` alone leaves them empty, since `--all-features` turns it on too and is to build.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(refused)");
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_MISTAKES").is_some() {
        println!("cargo::rerun-if-env-changed=DUALGAUGE_MISTAKES");
        if std::env::var_os("DUALGAUGE_MISTAKES").is_some() {
            println!("cargo::rustc-cfg=refused");
        }
    }
}
